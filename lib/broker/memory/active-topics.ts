import type { History } from '../history.ts'
import type { HistoryLimits } from '../history-policy.ts'

/** A topic with events in history, and its limits when it was last published to. */
export interface ActiveTopic {
  readonly history: History
  readonly limits: HistoryLimits
}

/**
 * The topics with events in history. Topics whose ages have the same order of magnitude share a queue, the longest
 * inactive first: finding expired topics costs only what it finds. A topic behind one with a longer age is found late,
 * by less than its own age.
 */
export class ActiveTopics {
  readonly #topics = new Map<string, ActiveTopic>()
  // By the binary order of magnitude of their ages.
  readonly #queues = new Map<number, Set<string>>()

  get(topic: string): ActiveTopic | undefined {
    return this.#topics.get(topic)
  }

  /** Moves a topic to the end of its queue: it has just been published to. */
  touch(topic: string, active: ActiveTopic): void {
    this.delete(topic)
    this.#topics.set(topic, active)
    const magnitude = magnitudeOf(active)
    const queue = this.#queues.get(magnitude)
    if (queue === undefined) this.#queues.set(magnitude, new Set([topic]))
    else queue.add(topic)
  }

  delete(topic: string): void {
    const active = this.#topics.get(topic)
    if (active === undefined) return
    this.#topics.delete(topic)
    this.#queues.get(magnitudeOf(active))?.delete(topic)
  }

  /** Removes and returns the topics whose events are all too old at a time in milliseconds since 1970. */
  takeExpired(now: number): [topic: string, active: ActiveTopic][] {
    const expired: [string, ActiveTopic][] = []
    for (const queue of this.#queues.values()) {
      for (const topic of queue) {
        const active = this.#topics.get(topic)
        if (active === undefined || !isExpired(active, now)) break
        this.delete(topic)
        expired.push([topic, active])
      }
    }
    return expired
  }
}

function magnitudeOf({ limits }: ActiveTopic): number {
  return Math.floor(Math.log2(limits.age))
}

function isExpired({ history, limits }: ActiveTopic, now: number): boolean {
  return history.newestAt === undefined || now - history.newestAt > limits.age
}
