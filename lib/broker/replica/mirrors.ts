import type { Slice } from '../event-log.ts'
import type { HistoryPolicy } from '../history-policy.ts'
import { Mirror, NOTHING } from './mirror.ts'

/** How long a topic stays subscribed after its last stream, in milliseconds: a reloaded page returns at once. */
export const LINGER = 10_000

/** The mirrors of an instance, one for each topic that has, or recently had, a stream. */
export class Mirrors {
  readonly #policy: HistoryPolicy
  readonly #mirrors = new Map<string, Mirror>()

  constructor(policy: HistoryPolicy) {
    this.#policy = policy
  }

  get size(): number {
    return this.#mirrors.size
  }

  /** The shortest history age of any of them, in milliseconds. */
  get shortestAge(): number {
    let shortest = Infinity
    for (const { age } of this) shortest = Math.min(shortest, age)
    return shortest
  }

  /** The `seq` of the newest delivered event. */
  get end(): number {
    let end = 0
    for (const { last = 0 } of this) end = Math.max(end, last)
    return end
  }

  get topics(): string[] {
    return [...this.#mirrors.keys()]
  }

  [Symbol.iterator](): IterableIterator<Mirror> {
    return this.#mirrors.values()
  }

  get(topic: string): Mirror | undefined {
    return this.#mirrors.get(topic)
  }

  add(topic: string): Mirror {
    const mirror = new Mirror(topic, this.#policy.limitsOf(topic))
    this.#mirrors.set(topic, mirror)
    return mirror
  }

  /** Reads a topic's history as it is at a time of the log's clock, in milliseconds since 1970. */
  read(topic: string, after: number, limit: number, now: number): Slice {
    const mirror = this.#mirrors.get(topic)
    mirror?.expire(now)
    return mirror?.read(after, limit) ?? NOTHING
  }

  /** The `seq` after which a topic's last `count` events begin, at a time of the log's clock; `undefined` without it. */
  startOfLast(topic: string, count: number, now: number): number | undefined {
    const mirror = this.#mirrors.get(topic)
    mirror?.expire(now)
    return mirror?.startOfLast(count)
  }

  /** Frees events that are too old at a time of the log's clock. */
  expire(now: number): void {
    for (const mirror of this) mirror.expire(now)
  }

  /** Removes and returns the mirrors without a stream for a while, on the monotonic clock. */
  takeIdle(now: number): Mirror[] {
    const idle = [...this].filter(({ idleSince }) => idleSince !== undefined && now - idleSince >= LINGER)
    for (const { topic } of idle) this.#mirrors.delete(topic)
    return idle
  }
}
