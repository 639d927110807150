import type { Cluster, Redis } from 'ioredis'
import type { Clock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { EventStreamError } from '../../errors.ts'
import type { Connections } from './connections.ts'
import { redisFailure } from './failure.ts'

// How often a server that turns out to be a replica is left for another one, in milliseconds.
const SEARCH_INTERVAL = 2_000

/**
 * The connection for commands, with every call settled in time. While Redis is away a bounded number of calls waits for
 * it; what is turned down then was not sent. A call that Redis had got when the connection broke may have been carried
 * out.
 */
export class Commands {
  readonly client: Redis | Cluster
  readonly #connections: Connections
  readonly #listeners: (() => void)[] = []
  // The node that has answered last.
  #owner: string | undefined
  readonly #timeout: number
  readonly #most: number
  readonly #clock: Clock
  #calls = 0
  #waiting: Promise<void> | undefined
  #closed = false
  #searchesAgainAt = -Infinity
  #stopWaiting: () => void = () => undefined

  constructor(connections: Connections, timeout: number, most: number, clock: Clock) {
    this.client = connections.commands(timeout)
    this.#connections = connections
    this.#timeout = timeout
    this.#most = most
    this.#clock = clock
    // Each call says what became of it; without a listener ioredis prints what goes wrong in between.
    this.client.on('error', () => undefined)
    for (const event of ['close', '-node']) {
      this.client.on(event, () => {
        this.#lost()
      })
    }
  }

  /**
   * Calls back when what was answered may be known to nobody any more: a connection is lost (of a Cluster that to any of its
   * nodes), or another node answers than before, which has not to be because of a lost one. It is called before the first answer
   * of that one is.
   */
  onLost(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** @throws {EventStreamError} `ERR_BROKER` */
  async run<T>(what: string, work: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (this.#calls >= this.#most) {
      throw new EventStreamError('ERR_BROKER', `${what}: ${String(this.#most)} calls are waiting for Redis already`)
    }
    this.#calls += 1
    try {
      return await this.ask(what, work)
    } finally {
      this.#calls -= 1
    }
  }

  /**
   * The same for what this instance itself has to know, however many calls are waiting.
   *
   * @throws {EventStreamError} `ERR_BROKER`
   */
  async ask<T>(what: string, work: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (this.#closed) throw new EventStreamError('ERR_BROKER', `${what}: the broker has been closed`)
    try {
      if (this.client.status !== 'ready') await this.#available()
      return await this.#sent(work)
    } catch (error) {
      // The peer may have forgotten the connection, which TCP finds out in a quarter of an hour.
      if (isLate(error)) this.reconnect()
      else if (isReadOnly(error)) this.#findMaster()
      throw redisFailure(what, error)
    }
  }

  // Between the end of a connection and the news of it nothing is sent: that is waited for like any connection.
  async #sent<T>(work: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    try {
      return await this.#answered(work)
    } catch (error) {
      if (!wasNotSent(error)) throw error
    }
    await this.#available()
    return this.#answered(work)
  }

  async #answered<T>(work: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    const answer = await work(this.client)
    const owner = this.#connections.owner()
    if (owner !== undefined && owner !== this.#owner) {
      if (this.#owner !== undefined) this.#lost()
      this.#owner = owner
    }
    return answer
  }

  #lost(): void {
    for (const listener of this.#listeners) listener()
  }

  close(): void {
    this.#closed = true
    this.client.disconnect()
    // Between two attempts to connect, ioredis says nothing of its end.
    this.#stopWaiting()
  }

  /** Gives the connection up and makes another one. */
  reconnect(): void {
    if (!this.#closed && this.client.status === 'ready') this.client.disconnect(true)
  }

  // After a fail-over the old master answers so until the connection is made anew. Not each time, since what else is on its
  // way would never get through where there is no other master.
  #findMaster(): void {
    const now = this.#clock.monotonic()
    if (now < this.#searchesAgainAt) return
    this.#searchesAgainAt = now + SEARCH_INTERVAL
    this.reconnect()
  }

  async #available(): Promise<void> {
    this.#waiting ??= this.#becomesReady().finally(() => {
      this.#waiting = undefined
    })
    const late = () => new EventStreamError('ERR_BROKER', 'there is no connection to Redis')
    await within(this.#clock, this.#timeout, this.#waiting, late)
  }

  #becomesReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.client.off('ready', settle)
        this.client.off('end', settle)
        if (this.#closed) reject(new EventStreamError('ERR_BROKER', 'the broker has been closed'))
        else resolve()
      }
      this.#stopWaiting = settle
      this.client.on('ready', settle)
      this.client.on('end', settle)
    })
  }
}

// ioredis gives it no name and no code.
function isLate(error: unknown): boolean {
  return error instanceof Error && error.message === 'Command timed out'
}

function wasNotSent(error: unknown): boolean {
  return (
    error instanceof Error && error.message.startsWith("Stream isn't writeable and enableOfflineQueue options is false")
  )
}

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('READONLY')
}
