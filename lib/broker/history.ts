import type { Slice, StoredEvent } from './event-log.ts'
import type { HistoryLimits } from './history-policy.ts'

/**
 * The recent events of one topic: a bounded log without timers and without I/O. The limits on count and bytes never
 * remove the newest event. Events that are too old stay until the topic is next used.
 */
export class History {
  #events: StoredEvent[] = []
  // The first index of the log in `#events`.
  #head = 0
  #bytes = 0
  #last: number
  #trimmed: number
  // When the newest removed event was published, if it was removed for count or bytes and is still young enough.
  #missingSince: number | undefined

  /**
   * @param seq the `seq` up to which all events of the topic have been removed
   * @param at when the newest removed event was published, in milliseconds since 1970, if there is one
   */
  constructor(seq: number, at?: number) {
    this.#last = seq
    this.#trimmed = seq
    this.#missingSince = at
  }

  /** The `seq` of the newest event, kept or not. */
  get last(): number {
    return this.#last
  }

  /** The `seq` up to which events have been removed. */
  get trimmed(): number {
    return this.#trimmed
  }

  /** The number of events kept. */
  get size(): number {
    return this.#events.length - this.#head
  }

  /** When the newest kept event was published. */
  get newestAt(): number | undefined {
    return this.#events.at(-1)?.at
  }

  /** Appends an event with a higher `seq` than all before it, and trims to the limits. */
  append(event: StoredEvent, limits: HistoryLimits): void {
    this.#events.push(event)
    this.#bytes += event.frame.length
    this.#last = event.seq
    this.expire(event.at, limits)
  }

  /** Trims to the limits at a time in milliseconds since 1970. */
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
   * The `seq` after which the last `count` events begin. If count or bytes have removed some of them, a place before
   * the start of history, so that a reader is told of the gap.
   */
  startOfLast(count: number): number {
    if (count > this.size && this.#missingSince !== undefined) return this.#trimmed - 1
    const first = this.#events.length - Math.min(count, this.size)
    return first === this.#head ? this.#trimmed : (this.#events[first - 1]?.seq ?? this.#trimmed)
  }

  // The first index with a greater `seq`; most readers are at the end, which is found at once.
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

  // Compacts once removed entries make up half of the list: amortized O(1) per event, and bounded memory.
  #compact(): void {
    if (this.#head === 0 || this.#head * 2 < this.#events.length) return
    this.#events = this.#events.slice(this.#head)
    this.#head = 0
  }
}
