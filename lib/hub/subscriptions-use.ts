import type { Broker } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import type { Subscriber } from './subscriber.ts'

const KEY = 'subscriptions'
// How long the store keeps it, and how often it is written again, in milliseconds: no instance is disconnected as long.
const KEPT_FOR = 30 * 86_400_000
const WRITE_INTERVAL = 86_400_000
// Milliseconds until a failed read is retried.
const RETRY_INTERVAL = 1_000

/** What this needs of the hub. */
export interface UseHub {
  readonly broker: Broker
  readonly clock: Clock
  all(): readonly Subscriber[]
}

/**
 * Whether the application uses `hub.subscribe()` and `hub.unsubscribe()` at all. When changes may have been missed all
 * streams must end, but not those of an application that makes no changes. The store remembers the use for instances
 * that have not seen a change themselves.
 */
export class SubscriptionsUse {
  readonly #hub: UseHub
  #isUsed = false
  #written: Promise<void> | undefined
  #writtenAt = 0
  #isClosed = false

  constructor(hub: UseHub) {
    this.#hub = hub
  }

  /**
   * Records the use in the store, before the first change is announced. Resolves in the order of the calls.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection
   */
  async begin(): Promise<void> {
    const { broker, clock } = this.#hub
    this.#isUsed = true
    const now = clock.monotonic()
    if (this.#written === undefined || now - this.#writtenAt > WRITE_INTERVAL) {
      this.#writtenAt = now
      const written = broker.store.set(KEY, '1', KEPT_FOR)
      this.#written = written
      written.catch(() => {
        if (this.#written === written) this.#written = undefined
      })
    }
    await this.#written
  }

  /** A change was received. */
  heard(): void {
    this.#isUsed = true
  }

  /** Changes may have been missed: ends the current streams, unless the application makes no changes. */
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
      clock.after(RETRY_INTERVAL, () => {
        void this.#ask(subscribers)
      })
    }
  }
}

function end(subscribers: readonly Subscriber[]): void {
  for (const { stream } of subscribers) stream.finish('unverifiable')
}
