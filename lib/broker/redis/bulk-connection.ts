import type { Redis } from 'ioredis'
import { addScripts } from './log.ts'
import { whileBytesCome, type Patience } from './progress.ts'

export interface BulkConnectionOptions {
  /** Makes a connection, and gives it up when `signal` says so. */
  readonly connect: (signal: AbortSignal) => Promise<Redis>
  /** Proves that a connection has met the server that the instance listens to. */
  readonly prove: (client: Redis) => Promise<void>
  readonly patience: Patience
}

/**
 * The connection for large answers, so that nothing small has to wait behind them. Made when it is first needed, and again
 * when it was lost. It is proven to have met the right server before it is asked anything.
 */
export class BulkConnection {
  readonly #options: BulkConnectionOptions
  #line: Line | undefined
  #asked = 0

  constructor(options: BulkConnectionOptions) {
    this.#options = options
  }

  /** Rejects with whatever ioredis rejects with, and when Redis has sent nothing for a while. */
  async ask<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    this.#asked += 1
    try {
      return await this.#askOn(this.#open(), work)
    } finally {
      this.#asked -= 1
    }
  }

  /** Resolves if it can be asked, and rejects with the reason why it cannot. */
  async check(): Promise<void> {
    const line = this.#open()
    await line.proven
    // Whoever waits for an answer finds out himself whether one comes; a proof would have to wait behind it.
    if (this.#asked === 0) await this.#askOn(line, this.#options.prove)
  }

  /** Gives the connection up, also one that is still being made. Another one is made when it is needed. */
  close(): void {
    this.#line?.end()
    this.#line = undefined
  }

  async #askOn<T>(line: Line, work: (client: Redis) => Promise<T>): Promise<T> {
    const client = await line.proven
    try {
      return await whileBytesCome(this.#options.patience, client, work(client))
    } catch (error) {
      // An answer that says what is wrong leaves the connection as it is.
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

/** One connection, from the wish for it on: nobody can tell when it comes, and it may be of no use by then. */
class Line {
  /** Rejects with the reason why there is none. */
  readonly proven: Promise<Redis>

  readonly #options: BulkConnectionOptions
  readonly #lost: () => void
  #client: Redis | undefined
  readonly #abort = new AbortController()

  /** @param lost is told when it is of no use any more */
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
      throw new Error('the connection to Redis was given up')
    }
    addScripts(client)
    client.once('close', this.#lost)
    return client
  }
}

function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}
