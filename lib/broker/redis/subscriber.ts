import type { Buffer } from 'node:buffer'
import type { Redis } from 'ioredis'
import { whileBytesCome, type Patience } from './progress.ts'

/** Callbacks of a subscriber. */
export interface SubscriberOwner {
  message(channel: string, payload: Buffer): void
  /** The subscriber is no longer usable. */
  lost(error: unknown): void
}

// The most channels per command, which blocks Redis.
const CHANNELS = 500

/** A subscriber connection. Every call rejects when Redis has sent nothing for a while. */
export class Subscriber {
  readonly #client: Redis
  readonly #isSharded: boolean
  readonly #patience: Patience

  /** @param client connected, and not shared */
  constructor(client: Redis, isSharded: boolean, patience: Patience, owner: SubscriberOwner) {
    this.#client = client
    this.#isSharded = isSharded
    this.#patience = patience
    client.once('close', () => {
      owner.lost(new Error('the connection to Redis was closed'))
    })
    // A Cluster node that has lost the slot, or become a replica, ends the subscriptions and reports it in a reply
    // without a command: an error in ioredis 5, and `moved` in ioredis 6.
    client.once('error', (error: unknown) => {
      owner.lost(error)
    })
    client.once('moved', () => {
      owner.lost(new Error('this node of the Cluster no longer serves the log'))
    })
    client.on(isSharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, payload: Buffer) => {
      owner.message(channel.toString(), payload)
    })
  }

  /** Subscribes to channels. Resolves when Redis has confirmed. */
  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#each(channels, some =>
      this.#isSharded ? this.#client.ssubscribe(...some) : this.#client.subscribe(...some),
    )
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await this.#each(channels, some =>
      this.#isSharded ? this.#client.sunsubscribe(...some) : this.#client.unsubscribe(...some),
    )
  }

  /**
   * Resolves when everything that Redis sent before has arrived. On a Cluster it subscribes again to a channel it
   * already has: a node that has lost the slot replies with an error instead of silence.
   */
  async echo(channel: string): Promise<void> {
    await this.#answered<unknown>(this.#isSharded ? this.#client.ssubscribe(channel) : this.#client.ping())
  }

  close(): void {
    this.#client.disconnect()
  }

  // Sends all commands at once: those of a later call, possibly the opposite, must not come in between.
  async #each(channels: readonly string[], command: (some: string[]) => Promise<unknown>): Promise<void> {
    await this.#answered(Promise.all([...commandsOf(channels)].map(command)))
  }

  async #answered<T>(answer: Promise<T>): Promise<T> {
    return whileBytesCome(this.#patience, this.#client, answer)
  }
}

function* commandsOf(channels: readonly string[]): Generator<string[]> {
  for (let from = 0; from < channels.length; from += CHANNELS) yield channels.slice(from, from + CHANNELS)
}
