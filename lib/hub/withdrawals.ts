import type { SubscriptionsMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { fits } from './stream-index.ts'
import type { Subscriber } from './subscriber.ts'

/** The last removal that an instance knew of; empty if there was none. */
export type Mark = string

/** Milliseconds: longer than any decision whether a stream may have a topic takes. */
export const KEPT_FOR = 300_000
// The longest delivery time of a message, in milliseconds.
const IN_TRANSIT = 30_000
// More in that time are only plausible for removals from all streams.
const MOST_TOPICS = 10_000

interface Withdrawal {
  readonly at: number
  readonly message: SubscriptionsMessage
}

/**
 * Recent removals of topics from streams, in an order that is the same on all instances. A decision to add a topic that
 * was made without knowing of a later removal is outdated.
 */
export class Withdrawals {
  readonly #clock: Clock
  // Oldest first. The last one is always kept, so that marks are found.
  #kept: Withdrawal[] = []
  #topics = 0
  // Until then, removals that still matter may have been forgotten.
  #doubtfulUntil = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The mark for a decision made now. */
  get mark(): Mark {
    return this.#kept.at(-1)?.message.question ?? ''
  }

  /** Adds a removal. Returns `false` for a duplicate. */
  add(message: SubscriptionsMessage): boolean {
    if (this.#kept.some(({ message: { question } }) => question === message.question)) return false
    const at = this.#clock.monotonic()
    this.#kept.push({ at, message })
    this.#topics += message.unsubscribe.length
    while (this.#kept.length > 1 && (this.#topics > MOST_TOPICS || (this.#kept[0]?.at ?? at) < at - KEPT_FOR)) {
      const forgotten = this.#kept.shift()
      if (forgotten === undefined) break
      this.#topics -= forgotten.message.unsubscribe.length
      this.#doubtfulUntil = forgotten.at + KEPT_FOR
    }
    return true
  }

  /** Whether one of the topics may have been removed from the stream since the decision to add them. */
  concerns(subscriber: Subscriber, { subscribe, decided, age }: SubscriptionsMessage): boolean {
    const known = this.#kept.findIndex(({ message }) => message.question === decided)
    const now = this.#clock.monotonic()
    if (known === -1 && now < this.#doubtfulUntil) return true
    const since = this.#kept.slice(known + 1)
    // The decision's mark is unknown here, such as that of an instance that has just started: compare times instead.
    const later = known === -1 ? since.filter(({ at }) => at > now - age - IN_TRANSIT) : since
    return later.some(({ message }) => takes(message, subscriber, subscribe))
  }

  /** Removals were missed: the affected streams have ended. */
  missed(): void {
    this.#kept = []
    this.#topics = 0
    this.#doubtfulUntil = -Infinity
  }
}

/** Whether a message removes one of these topics from a stream. */
export function takes(message: SubscriptionsMessage, subscriber: Subscriber, topics: readonly string[]): boolean {
  return fits(message, subscriber) && message.unsubscribe.some(topic => topics.includes(topic))
}
