import { Buffer } from 'node:buffer'
import type { Cluster, Redis } from 'ioredis'
import type { Clock } from '../../clock.ts'
import { EventStreamError } from '../../errors.ts'
import { BulkConnection } from './bulk-connection.ts'
import { Commands } from './commands.ts'
import type { Connections } from './connections.ts'
import { redisFailure } from './failure.ts'
import { Health, refusesWrites } from './health.ts'
import type { LogNames } from './keys.ts'
import type { Patience } from './progress.ts'
import { Subscriber } from './subscriber.ts'

/** What lives on a session. */
export interface SessionMember {
  /** Channels begin with this, of which it gets the messages. */
  readonly channels: string
  /** The session stands: nothing but its own channels is listened to yet. Resolves when what was missed has been put in order. */
  up(): Promise<void>
  /** The session is lost, or could not be made. It is being made again. */
  down(error: unknown): void
  message(channel: string, payload: Buffer): void
}

export interface SessionOptions {
  readonly connections: Connections
  readonly names: LogNames
  /** Milliseconds that Redis may take to connect, or to answer anything. */
  readonly timeout: number
  /** Milliseconds between two questions whether all is well. */
  readonly watchdog: number
  /** Calls that may wait for Redis at once. */
  readonly maxPending: number
  readonly clock: Clock
  /** Tries whether the log takes what every publish writes. Rejects with `ERR_BROKER`. */
  readonly tryWriting: () => Promise<void>
  /** Is told when Redis begins to refuse writes, and when it takes them again. */
  readonly writable: (isWritable: boolean, error?: unknown) => void
  /** Is told when what may be large cannot be asked for any more, and when it can be again. */
  readonly readable: (isReadable: boolean, error?: unknown) => void
}

const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2_000

/**
 * An instance's connections to Redis as one thing: one that listens, one for commands and one for large answers.
 *
 * Behind a name may be several servers, after a fail-over above all, and the connections may meet different ones: what is
 * read looks complete then, and is not. So nothing counts before a message that was published on one connection has come on
 * the one that listens, and the same question is asked from time to time. That finds out a frozen Redis too, and a connection
 * that a firewall has forgotten, which look healthy otherwise.
 *
 * When it is lost it is made anew, after pauses that grow until its members have put in order what they missed: a
 * connection alone is no success.
 */
export class Session {
  readonly commands: Commands

  readonly #options: SessionOptions
  readonly #channel: string
  readonly #bulk: BulkConnection
  readonly #patience: Patience
  readonly #writing: Health
  readonly #reading: Health
  // Proofs that are to come on our own channel.
  readonly #awaited = new Map<string, () => void>()
  #members: readonly SessionMember[] = []
  #subscriber: Subscriber | undefined
  #abort = new AbortController()
  // Counts attempts: what belongs to one that is over changes nothing any more.
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
    // It has met another server, perhaps.
    this.commands.client.on('ready', () => {
      if (this.#subscriber !== undefined) this.#check(this.#attempt)
    })
  }

  /** Connects, and tells the members so, each once those before it are ready. */
  start(members: readonly SessionMember[]): void {
    this.#members = members
    void this.#connect()
  }

  /** Listens to channels. Resolves when Redis has confirmed. */
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
   * Resolves when everything has come that was published before, to channels that are listened to: proof that what is read
   * and what is listened to are one server.
   *
   * @throws {EventStreamError} `ERR_BROKER`
   */
  async fence(): Promise<void> {
    await this.#prove(nonce => this.commands.ask('fence', client => this.#publish(client, nonce)))
  }

  /**
   * Asks for what may be large, for as long as Redis goes on sending.
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

  /** A write was refused: with an error that says something about all of them, or not. That it is over is found out here. */
  refused(error: unknown): void {
    if (refusesWrites(error)) this.#writing.failed(error)
  }

  /** Gives the connections up that listen and read, and makes others. */
  lose(error: unknown): void {
    if (this.#subscriber !== undefined) this.#lose(this.#attempt, error)
  }

  close(): void {
    this.#isClosed = true
    this.#attempt += 1
    this.#drop()
    this.commands.close()
  }

  // Making it.

  async #connect(): Promise<void> {
    const { connections, timeout, clock, names } = this.#options
    const attempt = (this.#attempt += 1)
    // Where there are several Sentinels to be asked it may take longer, and somebody may want to know.
    const stopWaiting = clock.after(timeout, () => {
      this.#tellDown(new Error(`Redis was not reached within ${String(timeout)} ms`))
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
      // What ends the subscription may have come together with what confirmed it.
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

  // Watching it.

  #watch(attempt: number): void {
    this.#stopWaiting = this.#options.clock.after(this.#options.watchdog, () => {
      this.#check(attempt, () => {
        this.#watch(attempt)
      })
    })
  }

  // An answer that comes when there is another attempt already says nothing of that one.
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

  // One after the other: a server that takes no writes may be left for another one.
  async #examine(): Promise<void> {
    await this.fence()
    await this.#tryWriting()
    await this.#tryReading()
  }

  /** Whatever Redis answers to this write, it answers to all of them. */
  async #tryWriting(): Promise<void> {
    try {
      await this.#options.tryWriting()
      this.#writing.succeeded()
    } catch (error) {
      if (!isAnswer(error)) throw error
      this.#writing.failed(error)
    }
  }

  /** Without history streams still get what comes: the session is not lost for it. */
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
      // It comes before the answer to a question that is asked only now, if it comes from the same server.
      if (this.#awaited.has(nonce)) await Promise.race([came, subscriber.echo(this.#channel)])
      if (!this.#awaited.has(nonce)) return
    } finally {
      this.#awaited.delete(nonce)
    }
    const error = new EventStreamError('ERR_BROKER', 'the connections to Redis have met different servers')
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
    if (this.#subscriber === undefined) throw new EventStreamError('ERR_BROKER', 'there is no connection to Redis')
    return this.#subscriber
  }
}

// Redis has answered, and said what is wrong with the question.
function isAnswer(error: unknown): boolean {
  return error instanceof EventStreamError && error.cause instanceof Error && error.cause.name === 'ReplyError'
}
