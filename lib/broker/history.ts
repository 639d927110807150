import type { Slice, StoredEvent } from './event-log.ts'

/** How many events a topic remembers, unless told otherwise. */
export const DEFAULT_HISTORY_COUNT = 1_000
/** How many bytes a topic remembers, unless told otherwise. */
export const DEFAULT_HISTORY_BYTES = 1_048_576
/** How many milliseconds a topic remembers, unless told otherwise. */
export const DEFAULT_HISTORY_AGE = 300_000

/** How much of a topic is remembered. Whatever is reached first counts. */
export interface HistoryLimits {
  /** Events a topic. */
  readonly count: number
  /** Bytes of frames a topic. */
  readonly bytes: number
  /** Milliseconds. */
  readonly age: number
}

/**
 * The recent events of one topic: a bounded log without timers and without I/O. What is too old stays until the topic
 * is next touched.
 */
export class History {
  #events: StoredEvent[] = []
  // Where the log begins in `#events`.
  #head = 0
  #bytes = 0
  #last: number
  #trimmed: number

  /** @param seq the `seq` up to which everything that the topic ever had is forgotten */
  constructor(seq: number) {
    this.#last = seq
    this.#trimmed = seq
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
      if (this.size <= limits.count && this.#bytes <= limits.bytes && now - oldest.at <= limits.age) break
      this.#head += 1
      this.#bytes -= oldest.frame.length
      this.#trimmed = oldest.seq
    }
    this.#compact()
  }

  /** Events after a `seq`, oldest first, at most `limit` of them. */
  read(after: number, limit: number): Slice {
    const from = this.#indexAfter(after)
    const to = Math.min(from + limit, this.#events.length)
    return { events: this.#events.slice(from, to), more: to < this.#events.length, trimmed: after < this.#trimmed }
  }

  /** The `seq` after which the last `count` events begin. */
  startOfLast(count: number): number {
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
