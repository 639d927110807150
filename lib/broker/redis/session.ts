import { Buffer } from 'node:buffer'
import type { Cluster, Redis } from 'ioredis'
import type { Clock } from '../../clock.ts'
import { deadline } from '../../deadline.ts'
import { EventStreamError } from '../../errors.ts'
import { BulkConnection } from './bulk-connection.ts'
import { Commands } from './commands.ts'
import type { Connections } from './connections.ts'
import { redisFailure } from './failure.ts'
import { Health, refusesWrites } from './health.ts'
import type { LogNames } from './keys.ts'
import type { Patience } from './progress.ts'
import { Subscriber } from './subscriber.ts'

/** A component that uses the session. */
export interface SessionMember {
  /** The prefix of the channels whose messages it gets. */
  readonly channels: string
  /** The session is up: only its own channels are subscribed to yet. Resolves when the component has caught up. */
  up(): Promise<void>
  /** The session is lost, or could not be established. It is being re-established. */
  down(error: unknown): void
  message(channel: string, payload: Buffer): void
}

export interface SessionOptions {
  readonly connections: Connections
  readonly names: LogNames
  /** The timeout of a connection and of any reply, in milliseconds. */
  readonly timeout: number
  /** Milliseconds between health checks. */
  readonly watchdog: number
  /** The most calls waiting for Redis at once. */
  readonly maxPending: number
  readonly clock: Clock
  /** Tests whether the log accepts writes. Rejects with `ERR_BROKER`. */
  readonly tryWriting: () => Promise<void>
  /** Called when Redis begins to refuse writes, and when it accepts them again. */
  readonly writable: (isWritable: boolean, error?: unknown) => void
  /** Called when history can no longer be read, and when it can be again. */
  readonly readable: (isReadable: boolean, error?: unknown) => void
}

const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2_000

/**
 * An instance's connections to Redis as one unit: a subscriber, one for commands and one for large replies.
 *
 * One host name may lead to several servers, especially after a failover, and the connections may reach different ones:
 * reads would look complete, and not be. So the session is up only when a message published on one connection has
 * arrived at the subscriber, and this check is repeated periodically. It also detects a frozen Redis, and a connection
 * dropped by a firewall, which otherwise look healthy.
 *
 * A lost session is re-established with back-off, which is reset only when all components have caught up: a connection
 * alone is no success.
 *
 * One file, since the three connections are established, checked and lost as one.
 */
export class Session {
  readonly commands: Commands

  readonly #options: SessionOptions
  readonly #channel: string
  readonly #bulk: BulkConnection
  readonly #patience: Patience
  readonly #writing: Health
  readonly #reading: Health
  // Proofs expected on the own channel.
  readonly #awaited = new Map<string, () => void>()
  #members: readonly SessionMember[] = []
  #subscriber: Subscriber | undefined
  #abort = new AbortController()
  // Counts attempts: a callback of an earlier one has no effect.
  #attempt = 0
  #pause = FIRST_PAUSE
  #stopWaiting: () => void = () => undefined
  #isClosed = false

  constructor(options: SessionOptions) {
    const { connections, names, timeout, maxPending, clock, writable, readable } = options
    this.#options = options
    this.#patience = { clock, ms: timeout }
    this.#channel = names.session(clock.id())
    this.commands = new Commands(connections, timeout, maxPending, clock)
    this.#writing = new Health(writable)
    this.#reading = new Health(readable)
    this.#bulk = new BulkConnection({
      connect: signal => connections.dedicated(timeout, signal),
      prove: client => this.#prove(nonce => this.#publish(client, nonce)),
      patience: this.#patience,
    })
    // It may have reached another server.
    this.commands.client.on('ready', () => {
      if (this.#subscriber !== undefined) this.#check(this.#attempt)
    })
  }

  /** Connects, and calls `up` on the members, each after those before it have resolved. */
  start(members: readonly SessionMember[]): void {
    this.#members = members
    void this.#connect()
  }

  /** Subscribes to channels. Resolves when Redis has confirmed. */
  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#connected().subscribe(channels)
  }

  unsubscribe(channels: readonly string[]): void {
    const attempt = this.#attempt
    this.#subscriber?.unsubscribe(channels).catch((error: unknown) => {
      this.#lose(attempt, error)
    })
  }

  /**
   * Resolves when everything published before, to subscribed channels, has arrived: proof that reads and subscriptions
   * use the same server.
   *
   * @throws {EventStreamError} `ERR_BROKER`
   */
  async fence(): Promise<void> {
    await this.#prove(nonce => this.commands.ask('fence', client => this.#publish(client, nonce)))
  }

  /**
   * Reads a possibly large reply, for as long as Redis keeps sending.
   *
   * @throws {EventStreamError} `ERR_BROKER`
   */
  async ask<T>(what: string, work: (client: Redis) => Promise<T>): Promise<T> {
    try {
      this.#connected()
      return await this.#bulk.ask(work)
    } catch (error) {
      throw redisFailure(what, error)
    }
  }

  /** A write was refused, by an error that may or may not affect all writes. The health checks detect the recovery. */
  refused(error: unknown): void {
    if (refusesWrites(error)) this.#writing.failed(error)
  }

  /** Drops the connections for subscriptions and reads, and opens new ones. */
  lose(error: unknown): void {
    if (this.#subscriber !== undefined) this.#lose(this.#attempt, error)
  }

  close(): void {
    this.#isClosed = true
    this.#attempt += 1
    this.#drop()
    this.commands.close()
  }

  // Establishing it.

  async #connect(): Promise<void> {
    const { connections, timeout, clock, names } = this.#options
    const attempt = (this.#attempt += 1)
    // With several Sentinels it may take longer, so report the delay.
    const stopWaiting = deadline(clock, timeout, () => {
      this.#tellDown(new Error(`could not connect to Redis within ${String(timeout)} ms`))
    })
    try {
      const client = await connections.dedicated(timeout, this.#abort.signal)
      if (attempt !== this.#attempt) {
        client.disconnect()
        return
      }
      this.#listen(client, attempt)
      await this.#connected().subscribe([this.#channel, names.control])
      await this.#examine()
      stopWaiting()
      // The event that ends the subscription may have arrived together with its confirmation.
      if (attempt !== this.#attempt) return
      this.#watch(attempt)
      for (const member of this.#members) {
        await member.up()
        if (attempt !== this.#attempt) return
      }
      this.#pause = FIRST_PAUSE
    } catch (error) {
      this.#lose(attempt, error)
    } finally {
      stopWaiting()
    }
  }

  #listen(client: Redis, attempt: number): void {
    const isSharded = this.#options.connections.command === 'SPUBLISH'
    this.#subscriber = new Subscriber(client, isSharded, this.#patience, {
      message: (channel, payload) => {
        if (attempt === this.#attempt) this.#message(channel, payload)
      },
      lost: error => {
        this.#lose(attempt, error)
      },
    })
  }

  #message(channel: string, payload: Buffer): void {
    if (channel === this.#channel) this.#arrived(payload.toString('latin1'))
    else this.#members.find(({ channels }) => channel.startsWith(channels))?.message(channel, payload)
  }

  #arrived(nonce: string): void {
    this.#awaited.get(nonce)?.()
    this.#awaited.delete(nonce)
  }

  // Health checks.

  #watch(attempt: number): void {
    this.#stopWaiting = this.#options.clock.after(this.#options.watchdog, () => {
      this.#check(attempt, () => {
        this.#watch(attempt)
      })
    })
  }

  // A reply that arrives during a later attempt says nothing about that one.
  #check(attempt: number, done: () => void = () => undefined): void {
    this.#examine().then(
      () => {
        if (attempt === this.#attempt) done()
      },
      (error: unknown) => {
        this.#lose(attempt, error)
      },
    )
  }

  // Sequential: a server that refuses writes may be left for another one.
  async #examine(): Promise<void> {
    await this.fence()
    await this.#tryWriting()
    await this.#tryReading()
  }

  /** Redis treats this write like all others. */
  async #tryWriting(): Promise<void> {
    try {
      await this.#options.tryWriting()
      this.#writing.succeeded()
    } catch (error) {
      if (!isAnswer(error)) throw error
      this.#writing.failed(error)
    }
  }

  /** Without history, streams still get live events: the session is not lost. */
  async #tryReading(): Promise<void> {
    const attempt = this.#attempt
    try {
      await this.#bulk.check()
      if (attempt === this.#attempt) this.#reading.succeeded()
    } catch (error) {
      if (attempt === this.#attempt) this.#reading.failed(redisFailure('connect for history', error))
    }
  }

  async #prove(publish: (nonce: string) => Promise<unknown>): Promise<void> {
    const { clock } = this.#options
    const subscriber = this.#connected()
    const attempt = this.#attempt
    const nonce = clock.id()
    const came = new Promise<void>(resolve => this.#awaited.set(nonce, resolve))
    try {
      await publish(nonce)
      // From the same server, the message arrives before the reply to this later command.
      if (this.#awaited.has(nonce)) await Promise.race([came, subscriber.echo(this.#channel)])
      if (!this.#awaited.has(nonce)) return
    } finally {
      this.#awaited.delete(nonce)
    }
    const error = new EventStreamError('ERR_BROKER', 'the connections to Redis have reached different servers')
    this.commands.reconnect()
    this.#lose(attempt, error)
    throw error
  }

  #publish(client: Redis | Cluster, nonce: string): Promise<unknown> {
    return this.#options.connections.command === 'SPUBLISH'
      ? client.spublish(this.#channel, nonce)
      : client.publish(this.#channel, nonce)
  }

  // Losing it.

  #lose(attempt: number, error: unknown): void {
    if (attempt !== this.#attempt || this.#isClosed) return
    this.#attempt += 1
    this.#drop()
    this.#tellDown(error)
    const pause = this.#pause * (0.5 + this.#options.clock.random())
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE)
    this.#stopWaiting = this.#options.clock.after(pause, () => {
      void this.#connect()
    })
  }

  #tellDown(error: unknown): void {
    const failure = redisFailure('subscribe', error)
    for (const member of this.#members) member.down(failure)
  }

  #drop(): void {
    this.#stopWaiting()
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#subscriber?.close()
    this.#subscriber = undefined
    this.#bulk.close()
  }

  #connected(): Subscriber {
    if (this.#subscriber === undefined) throw new EventStreamError('ERR_BROKER', 'not connected to Redis')
    return this.#subscriber
  }
}

// An error reply from Redis, as opposed to a connection error.
function isAnswer(error: unknown): boolean {
  return error instanceof EventStreamError && error.cause instanceof Error && error.cause.name === 'ReplyError'
}
