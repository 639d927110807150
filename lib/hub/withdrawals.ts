import type { SubscriptionsMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { fits } from './stream-index.ts'
import type { Subscriber } from './subscriber.ts'

/** The last change that took topics away which an instance knew of; empty where there was none. */
export type Mark = string

/** Milliseconds: longer than anybody takes to decide whether somebody may have a topic. */
export const KEPT_FOR = 300_000
// What a message takes at most to get here, in milliseconds.
const IN_TRANSIT = 30_000
// Nobody takes as many away in that time, but for everybody's.
const MOST_TOPICS = 10_000

interface Withdrawal {
  readonly at: number
  readonly message: SubscriptionsMessage
}

/**
 * The topics that were taken away from streams lately, in the order that is the same on all instances. Whoever decided
 * that a stream may have a topic, and did not know of one of these, decided on what is not true any more.
 */
export class Withdrawals {
  readonly #clock: Clock
  // The oldest first. The last one is never forgotten, so that marks are found.
  #kept: Withdrawal[] = []
  #topics = 0
  // Until then there may have been more than are kept.
  #doubtfulUntil = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The mark of a decision that is made now. */
  get mark(): Mark {
    return this.#kept.at(-1)?.message.question ?? ''
  }

  /** Answers whether this one has not been heard before. */
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

  /** Whether one of the topics may have been taken from a stream since it was decided that it may have them. */
  concerns(subscriber: Subscriber, { subscribe, decided, age }: SubscriptionsMessage): boolean {
    const known = this.#kept.findIndex(({ message }) => message.question === decided)
    const now = this.#clock.monotonic()
    if (known === -1 && now < this.#doubtfulUntil) return true
    const since = this.#kept.slice(known + 1)
    // Whoever decided has not heard of ours, such as an instance that has just begun: only the time tells.
    const later = known === -1 ? since.filter(({ at }) => at > now - age - IN_TRANSIT) : since
    return later.some(({ message }) => takes(message, subscriber, subscribe))
  }

  /** Some were never heard of. The streams that they meant have ended. */
  missed(): void {
    this.#kept = []
    this.#topics = 0
    this.#doubtfulUntil = -Infinity
  }
}

/** Whether a message takes one of these topics from a stream. */
export function takes(message: SubscriptionsMessage, subscriber: Subscriber, topics: readonly string[]): boolean {
  return fits(message, subscriber) && message.unsubscribe.some(topic => topics.includes(topic))
}
