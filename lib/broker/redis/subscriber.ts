import type { Buffer } from 'node:buffer'
import type { Redis } from 'ioredis'
import { whileBytesCome, type Patience } from './progress.ts'

/** What a subscriber tells. */
export interface SubscriberOwner {
  message(channel: string, payload: Buffer): void
  /** It is of no use any more. */
  lost(error: unknown): void
}

// Channels a command: Redis does nothing else while it works on one.
const CHANNELS = 500

/** A connection that listens. Every call rejects when Redis has sent nothing for a while. */
export class Subscriber {
  readonly #client: Redis
  readonly #isSharded: boolean
  readonly #patience: Patience

  /** @param client connected, and nobody else's */
  constructor(client: Redis, isSharded: boolean, patience: Patience, owner: SubscriberOwner) {
    this.#client = client
    this.#isSharded = isSharded
    this.#patience = patience
    client.once('close', () => {
      owner.lost(new Error('the connection to Redis was closed'))
    })
    // A node of a Cluster that has given the slot away, or become a replica, ends the subscriptions without being asked,
    // and says so in an answer to nothing: an error to ioredis 5, and `moved` to ioredis 6.
    client.once('error', (error: unknown) => {
      owner.lost(error)
    })
    client.once('moved', () => {
      owner.lost(new Error('this node of the Cluster does not serve the log any more'))
    })
    client.on(isSharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, payload: Buffer) => {
      owner.message(channel.toString(), payload)
    })
  }

  /** Listens to channels. Resolves when Redis has confirmed. */
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
   * Resolves when everything has come that Redis sent before. On a Cluster it asks by listening once more to a channel that
   * is listened to: a node that has given the slot away answers with an error, and not with silence.
   */
  async echo(channel: string): Promise<void> {
    await this.#answered<unknown>(this.#isSharded ? this.#client.ssubscribe(channel) : this.#client.ping())
  }

  close(): void {
    this.#client.disconnect()
  }

  // All commands are sent at once: those of a call must not come between those of a later one, which may say the opposite.
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
