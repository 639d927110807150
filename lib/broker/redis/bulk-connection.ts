import type { Redis } from 'ioredis'
import { addScripts } from './log.ts'
import { whileBytesCome, type Patience } from './progress.ts'

export interface BulkConnectionOptions {
  /** Opens a connection, unless `signal` aborts it. */
  readonly connect: (signal: AbortSignal) => Promise<Redis>
  /** Proves that a connection has reached the same server as the subscriber. */
  readonly prove: (client: Redis) => Promise<void>
  readonly patience: Patience
}

/**
 * The connection for large replies, so that small ones do not wait behind them. Opened on demand, and again after it
 * was lost. Before its first read it is proven to have reached the right server.
 */
export class BulkConnection {
  readonly #options: BulkConnectionOptions
  #line: Line | undefined
  #asked = 0

  constructor(options: BulkConnectionOptions) {
    this.#options = options
  }

  /** Rejects with ioredis' errors, and when Redis has sent nothing for a while. */
  async ask<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    this.#asked += 1
    try {
      return await this.#askOn(this.#open(), work)
    } finally {
      this.#asked -= 1
    }
  }

  /** Resolves if it is usable, and rejects with the reason if not. */
  async check(): Promise<void> {
    const line = this.#open()
    await line.proven
    // A pending read notices by itself if no reply arrives; the proof would wait behind it.
    if (this.#asked === 0) await this.#askOn(line, this.#options.prove)
  }

  /** Closes the connection, including one being opened. The next read opens another. */
  close(): void {
    this.#line?.end()
    this.#line = undefined
  }

  async #askOn<T>(line: Line, work: (client: Redis) => Promise<T>): Promise<T> {
    const client = await line.proven
    try {
      return await whileBytesCome(this.#options.patience, client, work(client))
    } catch (error) {
      // An error reply does not affect the connection.
      if (!isAnswer(error)) this.#drop(line)
      throw error
    }
  }

  #open(): Line {
    if (this.#line !== undefined) return this.#line
    const line = new Line(this.#options, () => {
      this.#drop(line)
    })
    return (this.#line = line)
  }

  #drop(line: Line): void {
    line.end()
    if (this.#line === line) this.#line = undefined
  }
}

/** One connection, from the start of opening it: that may take any time, and it may no longer be needed then. */
class Line {
  /** Rejects with the reason if it could not be opened. */
  readonly proven: Promise<Redis>

  readonly #options: BulkConnectionOptions
  readonly #lost: () => void
  #client: Redis | undefined
  readonly #abort = new AbortController()

  /** @param lost called when it is no longer usable */
  constructor(options: BulkConnectionOptions, lost: () => void) {
    this.#options = options
    this.#lost = lost
    this.proven = this.#prove()
  }

  end(): void {
    this.#abort.abort()
    this.#client?.disconnect()
  }

  async #prove(): Promise<Redis> {
    try {
      const client = await this.#connect()
      await whileBytesCome(this.#options.patience, client, this.#options.prove(client))
      return client
    } catch (error) {
      this.#lost()
      throw error
    }
  }

  async #connect(): Promise<Redis> {
    const client = await this.#options.connect(this.#abort.signal)
    this.#client = client
    if (this.#abort.signal.aborted) {
      client.disconnect()
      throw new Error('the connection to Redis was aborted')
    }
    addScripts(client)
    client.once('close', this.#lost)
    return client
  }
}

function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}
