import type { Slice, StoredEvent } from './event-log.ts'
import type { HistoryLimits } from './history-policy.ts'

/**
 * The recent events of one topic: a bounded log without timers and without I/O. Count and bytes never take away the newest
 * event. What is too old stays until the topic is next touched.
 */
export class History {
  #events: StoredEvent[] = []
  // Where the log begins in `#events`.
  #head = 0
  #bytes = 0
  #last: number
  #trimmed: number
  // When the newest forgotten event was published, as long as it is young enough to be there but for count or bytes.
  #missingSince: number | undefined

  /**
   * @param seq the `seq` up to which everything that the topic ever had is forgotten
   * @param at when the newest forgotten event was published, in milliseconds since 1970, if there is one
   */
  constructor(seq: number, at?: number) {
    this.#last = seq
    this.#trimmed = seq
    this.#missingSince = at
  }

  /** The `seq` of the newest event, remembered or not. */
  get last(): number {
    return this.#last
  }

  /** The `seq` up to which events are forgotten. */
  get trimmed(): number {
    return this.#trimmed
  }

  /** How many events are remembered. */
  get size(): number {
    return this.#events.length - this.#head
  }

  /** When the newest remembered event was published. */
  get newestAt(): number | undefined {
    return this.#events.at(-1)?.at
  }

  /** Appends an event, whose `seq` is over all before it, and forgets what is over the limits. */
  append(event: StoredEvent, limits: HistoryLimits): void {
    this.#events.push(event)
    this.#bytes += event.frame.length
    this.#last = event.seq
    this.expire(event.at, limits)
  }

  /** Forgets what is over the limits at a time in milliseconds since 1970. */
  expire(now: number, limits: HistoryLimits): void {
    for (let oldest = this.#events[this.#head]; oldest !== undefined; oldest = this.#events[this.#head]) {
      const fits = this.size === 1 || (this.size <= limits.count && this.#bytes <= limits.bytes)
      if (fits && now - oldest.at <= limits.age) break
      this.#head += 1
      this.#bytes -= oldest.frame.length
      this.#trimmed = oldest.seq
      this.#missingSince = oldest.at
    }
    if (this.#missingSince !== undefined && now - this.#missingSince > limits.age) this.#missingSince = undefined
    this.#compact()
  }

  /** Events after a `seq`, oldest first, at most `limit` of them. */
  read(after: number, limit: number): Slice {
    const from = this.#indexAfter(after)
    const to = Math.min(from + limit, this.#events.length)
    return {
      events: this.#events.slice(from, to),
      more: to < this.#events.length,
      trimmed: after < this.#trimmed,
      start: this.#trimmed,
    }
  }

  /**
   * The `seq` after which the last `count` events begin. A place that history does not reach back to where count or bytes
   * have taken some of them away: who reads from there learns of it.
   */
  startOfLast(count: number): number {
    if (count > this.size && this.#missingSince !== undefined) return this.#trimmed - 1
    const first = this.#events.length - Math.min(count, this.size)
    return first === this.#head ? this.#trimmed : (this.#events[first - 1]?.seq ?? this.#trimmed)
  }

  // The first index with a greater `seq`; most readers want the end, and find it at once.
  #indexAfter(seq: number): number {
    if (seq >= this.#last) return this.#events.length
    let low = this.#head
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle]?.seq ?? Infinity) <= seq) low = middle + 1
      else high = middle
    }
    return low
  }

  // Removed entries are cut off in one go when they make up half the list: O(1) an event in the long run, and what was
  // forgotten does not stay in memory.
  #compact(): void {
    if (this.#head === 0 || this.#head * 2 < this.#events.length) return
    this.#events = this.#events.slice(this.#head)
    this.#head = 0
  }
}
