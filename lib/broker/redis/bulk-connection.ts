import type { Redis } from 'ioredis'
import { addScripts } from './log.ts'
import { whileBytesCome, type Patience } from './progress.ts'

export interface BulkConnectionOptions {
  /** Makes a connection. */
  readonly connect: () => Promise<Redis>
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
  #proven: Promise<Redis> | undefined
  #client: Redis | undefined

  constructor(options: BulkConnectionOptions) {
    this.#options = options
  }

  /** Rejects with whatever ioredis rejects with, and when Redis has sent nothing for a while. */
  async ask<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    const client = await (this.#proven ??= this.#prove())
    try {
      return await whileBytesCome(this.#options.patience, client, work(client))
    } catch (error) {
      // An answer that says what is wrong leaves the connection as it is.
      if (!isAnswer(error)) this.#drop(client)
      throw error
    }
  }

  /** Gives the connection up. Another one is made when it is needed. */
  close(): void {
    this.#proven = undefined
    this.#client?.disconnect()
    this.#client = undefined
  }

  async #prove(): Promise<Redis> {
    let client = this.#client
    try {
      client ??= await this.#connect()
      await whileBytesCome(this.#options.patience, client, this.#options.prove(client))
      return client
    } catch (error) {
      this.#drop(client)
      throw error
    }
  }

  async #connect(): Promise<Redis> {
    const client = await this.#options.connect()
    addScripts(client)
    this.#client = client
    client.once('close', () => {
      this.#drop(client)
    })
    return client
  }

  #drop(client: Redis | undefined): void {
    client?.disconnect()
    if (this.#client !== client) return
    this.#client = undefined
    this.#proven = undefined
  }
}

function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}
