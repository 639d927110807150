import type { Broker } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import type { Subscriber } from './subscriber.ts'

const KEY = 'subscriptions'
// How long it is remembered, and how soon it is said again: no instance is cut off for as long.
const KEPT_FOR = 30 * 86_400_000
const SAID_EVERY = 86_400_000
// How soon the store is asked again that could not be.
const PATIENCE = 1_000

/** What this needs of the hub. */
export interface UseHub {
  readonly broker: Broker
  readonly clock: Clock
  all(): readonly Subscriber[]
}

/**
 * Whether the application changes topics of streams at all. Where changes may have been missed all streams end, and those
 * of an application that makes none are not to. What this instance has not heard itself, the store remembers.
 */
export class SubscriptionsUse {
  readonly #hub: UseHub
  #isUsed = false
  #said: Promise<void> | undefined
  #saidAt = 0
  #isClosed = false

  constructor(hub: UseHub) {
    this.#hub = hub
  }

  /**
   * Says so before a change is made, in the order of the calls.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection
   */
  async begin(): Promise<void> {
    const { broker, clock } = this.#hub
    this.#isUsed = true
    const now = clock.monotonic()
    if (this.#said === undefined || now - this.#saidAt > SAID_EVERY) {
      this.#saidAt = now
      const said = broker.store.set(KEY, '1', KEPT_FOR)
      this.#said = said
      said.catch(() => {
        if (this.#said === said) this.#said = undefined
      })
    }
    await this.#said
  }

  heard(): void {
    this.#isUsed = true
  }

  /** Ends the streams that there are, or, where the application makes no changes, does nothing. */
  missed(): void {
    const subscribers = this.#hub.all()
    if (this.#isUsed) end(subscribers)
    else if (subscribers.length > 0) void this.#ask(subscribers)
  }

  close(): void {
    this.#isClosed = true
  }

  async #ask(subscribers: readonly Subscriber[]): Promise<void> {
    const { broker, clock } = this.#hub
    if (this.#isClosed) return
    try {
      if (!this.#isUsed && (await broker.store.get(KEY)) === undefined) return
      this.#isUsed = true
      end(subscribers)
    } catch {
      clock.after(PATIENCE, () => {
        void this.#ask(subscribers)
      })
    }
  }
}

function end(subscribers: readonly Subscriber[]): void {
  for (const { stream } of subscribers) stream.finish('unverifiable')
}
