import type { Buffer } from 'node:buffer'
import type { Redis } from 'ioredis'
import type { Clock } from '../../clock.ts'
import type { Connections } from './connections.ts'
import { redisFailure } from './failure.ts'

/** What a link tells its owner. */
export interface LinkOwner {
  /** The subscriber is connected: listen to everything again, and find out what was missed. */
  up(): void
  /** The subscriber is lost. It is being connected again. */
  down(error: unknown): void
  message(channel: string, payload: Buffer): void
}

export interface LinkOptions {
  /** Milliseconds that Redis may take to connect, or to answer anything. */
  readonly timeout: number
  /** Milliseconds between two questions whether Redis is still there. */
  readonly watchdog: number
  /** A channel that is always listened to. */
  readonly channel: string
}

const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2_000
// Channels a command: Redis does nothing else while it works on one.
const CHANNELS = 500

/**
 * The one subscriber of an instance. It is connected anew whenever it is lost, or does not answer: a frozen Redis, or a
 * connection that a firewall has forgotten, looks healthy otherwise.
 */
export class Link {
  readonly #connections: Connections
  readonly #owner: LinkOwner
  readonly #options: LinkOptions
  readonly #clock: Clock
  #client: Redis | undefined
  #pause = FIRST_PAUSE
  #cancel: (() => void) | undefined
  #closed = false

  constructor(connections: Connections, owner: LinkOwner, options: LinkOptions, clock: Clock) {
    this.#connections = connections
    this.#owner = owner
    this.#options = options
    this.#clock = clock
  }

  start(): void {
    this.#connect().catch((error: unknown) => {
      this.#lose(error)
    })
  }

  /** Listens to channels. Resolves when Redis has confirmed. */
  async subscribe(channels: readonly string[]): Promise<void> {
    const client = this.#connected()
    for (const some of commandsOf(channels)) {
      await (this.#sharded ? client.ssubscribe(...some) : client.subscribe(...some))
    }
  }

  unsubscribe(channels: readonly string[]): void {
    const client = this.#client
    if (client === undefined) return
    for (const some of commandsOf(channels)) {
      const done = this.#sharded ? client.sunsubscribe(...some) : client.unsubscribe(...some)
      done.catch((error: unknown) => {
        if (this.#client === client) this.#lose(error)
      })
    }
  }

  /**
   * Resolves when everything has arrived that was published before. On a Cluster it asks by listening once more to a
   * channel that is listened to: a node that has given the slot away answers with an error, and not with silence.
   */
  async fence(): Promise<void> {
    const client = this.#connected()
    await (this.#sharded ? client.ssubscribe(this.#options.channel) : client.ping())
  }

  /** Gives the connection up and makes another one. */
  lose(error: unknown): void {
    if (this.#client !== undefined) this.#lose(error)
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
    this.#drop()
  }

  get #sharded(): boolean {
    return this.#connections.command === 'SPUBLISH'
  }

  #connected(): Redis {
    if (this.#client === undefined) throw new Error('the subscriber is not connected to Redis')
    return this.#client
  }

  async #connect(): Promise<void> {
    const client = await this.#connections.subscriber(this.#options.timeout)
    if (this.#closed) {
      client.disconnect()
      return
    }
    this.#client = client
    client.once('close', () => {
      if (this.#client === client) this.#lose(new Error('the connection to Redis was closed'))
    })
    // A node of a Cluster that has given the slot away, or become a replica, ends the subscriptions without being asked,
    // and says so in an answer to nothing.
    client.once('error', (error: unknown) => {
      if (this.#client === client) this.#lose(error)
    })
    client.on(this.#sharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, payload: Buffer) => {
      if (this.#client === client) this.#owner.message(channel.toString(), payload)
    })
    await this.subscribe([this.#options.channel])
    // What ends the subscription may have come together with what confirmed it.
    if (this.#client !== client) return
    this.#pause = FIRST_PAUSE
    this.#watch(client)
    this.#owner.up()
  }

  // An answer that comes when there is another client already says nothing of that one.
  #watch(client: Redis): void {
    this.#cancel = this.#clock.after(this.#options.watchdog, () => {
      this.fence().then(
        () => {
          if (this.#client === client) this.#watch(client)
        },
        (error: unknown) => {
          if (this.#client === client) this.#lose(error)
        },
      )
    })
  }

  #lose(error: unknown): void {
    this.#drop()
    if (this.#closed) return
    this.#owner.down(redisFailure('subscribe', error))
    this.#cancel?.()
    const pause = this.#pause * (0.5 + this.#clock.random())
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE)
    this.#cancel = this.#clock.after(pause, () => {
      this.start()
    })
  }

  #drop(): void {
    this.#client?.disconnect()
    this.#client = undefined
  }
}

function* commandsOf(channels: readonly string[]): Generator<string[]> {
  for (let from = 0; from < channels.length; from += CHANNELS) yield channels.slice(from, from + CHANNELS)
}
