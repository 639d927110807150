import type { Cluster, Redis } from 'ioredis'
import { systemClock, type Clock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { EventStreamError } from '../../errors.ts'
import { DISCONNECT_TIMEOUT, pauseBefore, type Connections } from './connections.ts'
import { redisFailure } from './failure.ts'

// How often a server found to be a replica is left for another one, in milliseconds.
const SEARCH_INTERVAL = 2_000

// What ioredis calls a connection that there is, or will be.
const CONNECTED: ReadonlySet<string> = new Set(['connecting', 'connect', 'ready'])

/**
 * The connection for commands, with a deadline for every call. While Redis is disconnected a bounded number of calls
 * waits; a rejected one was not sent. A call in flight when the connection broke may have been carried out.
 */
export class Commands {
  readonly client: Redis | Cluster
  readonly #connections: Connections
  readonly #listeners: (() => void)[] = []
  // The node of the last reply.
  #owner: string | undefined
  readonly #timeout: number
  readonly #most: number
  readonly #clock: Clock
  #calls = 0
  #waiting: Promise<void> | undefined
  #closed = false
  #searchesAgainAt = -Infinity
  #stopWaiting: () => void = () => undefined
  // Attempts to connect since ioredis has given up, and what cancels the next one.
  #attempts = 0
  #stopConnecting: () => void = () => undefined

  constructor(connections: Connections, timeout: number, most: number, clock: Clock) {
    this.client = connections.commands(timeout)
    this.#connections = connections
    this.#timeout = timeout
    this.#most = most
    this.#clock = clock
    // Every call reports its own error; without a listener ioredis prints connection errors.
    this.client.on('error', () => undefined)
    this.client.on('ready', () => {
      this.#attempts = 0
    })
    this.client.on('end', () => {
      this.#connectLater()
    })
    for (const event of ['close', '-node']) {
      this.client.on(event, () => {
        this.#lost()
      })
    }
  }

  /**
   * Calls back when acknowledged writes may be lost: a connection is lost (for a Cluster, that to any of its nodes), or
   * another node replies than before, possibly without a lost connection. Called before the first reply of that node is
   * returned.
   */
  onLost(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** @throws {EventStreamError} `ERR_BROKER` */
  async run<T>(what: string, work: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (this.#calls >= this.#most) {
      throw new EventStreamError('ERR_BROKER', `${what}: ${String(this.#most)} calls are already waiting for Redis`)
    }
    this.#calls += 1
    try {
      return await this.ask(what, work)
    } finally {
      this.#calls -= 1
    }
  }

  /**
   * The same without the limit, for the instance's own needs.
   *
   * @throws {EventStreamError} `ERR_BROKER`
   */
  async ask<T>(what: string, work: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    if (this.#closed) throw new EventStreamError('ERR_BROKER', `${what}: the broker is closed`)
    try {
      if (this.client.status !== 'ready') await this.#available()
      return await this.#sent(work)
    } catch (error) {
      // The connection may be half-open, which TCP detects only after about 15 minutes.
      if (error instanceof LateError) this.reconnect()
      else if (isReadOnly(error)) this.#findMaster()
      throw redisFailure(what, error)
    }
  }

  // A command issued between the end of a connection and its event is not sent: it waits for the next connection.
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
    // Not ioredis' timeout, which takes an answer for late that has arrived while the process was busy. By the system's
    // clock, like the network.
    const answer = await within(systemClock, this.#timeout, work(this.client), () => new LateError(this.#timeout))
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
    this.#stopConnecting()
    this.client.disconnect()
    // Those who wait for a connection.
    this.#stopWaiting()
  }

  // ioredis ends when no Sentinel answers, and whenever a Cluster is lost.
  #connectLater(): void {
    if (this.#closed) return
    this.#stopConnecting()
    // A node of a Cluster that ends late would end the new attempt.
    const pause = 2 * DISCONNECT_TIMEOUT + pauseBefore(this.#attempts)
    this.#attempts += 1
    this.#stopConnecting = systemClock.after(pause, () => {
      this.client.connect().catch(() => {
        if (!CONNECTED.has(this.client.status)) this.#connectLater()
      })
    })
  }

  /** Drops the connection and reconnects. */
  reconnect(): void {
    if (!this.#closed && this.client.status === 'ready') this.client.disconnect(true)
  }

  // After a failover the old master keeps replying with READONLY until a new connection is made. Rate-limited, since
  // reconnecting aborts other commands, and there may be no other master.
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
    const late = () => new EventStreamError('ERR_BROKER', 'not connected to Redis')
    await within(this.#clock, this.#timeout, this.#waiting, late)
  }

  #becomesReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.client.off('ready', settle)
        if (this.#closed) reject(new EventStreamError('ERR_BROKER', 'the broker is closed'))
        else resolve()
      }
      this.#stopWaiting = settle
      this.client.on('ready', settle)
    })
  }
}

class LateError extends Error {
  constructor(timeout: number) {
    super(`Redis did not answer within ${String(timeout)} ms`)
  }
}

function wasNotSent(error: unknown): boolean {
  return (
    error instanceof Error && error.message.startsWith("Stream isn't writeable and enableOfflineQueue options is false")
  )
}

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('READONLY')
}
