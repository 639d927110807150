import { bare, isEnd, type BareEvent, type End, type Entry } from './batch.ts'

/** Compacts events into one. Returns `undefined` if that fails. */
export type Compactor = (events: readonly BareEvent[]) => BareEvent | undefined

/** A compacted event that replaces all events up to a number. */
interface Head {
  readonly upTo: number
  readonly event: BareEvent
}

/** The state of a run, as it is saved in the store. */
export interface RunState {
  readonly head?: Head | undefined
  /** The number of the first of `events`. */
  readonly first: number
  readonly events: readonly BareEvent[]
  readonly end?: End | undefined
}

/** An event of a run with its number, which is its id. */
export interface NumberedEvent {
  readonly number: number
  readonly event: BareEvent
}

/** The next events for a reader. */
export interface Portion {
  /** Whether earlier events are missing, and no compacted event replaces them. */
  readonly isTorn: boolean
  readonly events: readonly NumberedEvent[]
}

/**
 * The events of a run: consecutive and numbered, up to a number of characters. Older ones are replaced by one compacted
 * event, if the application can create it.
 *
 * Every instance that has readers of the run builds it from the same log, so all agree on every number and on the end:
 * the first end in the log is the only one, and everything after it is ignored.
 */
export class RunLog {
  readonly #compact: Compactor | undefined
  readonly #most: number
  #head: Head | undefined
  // The number of the event before the first of `#events`.
  #base = 0
  #events: BareEvent[] = []
  #size = 0
  #end: End | undefined

  /** @param most the most characters of events to keep */
  constructor(most: number, compact?: Compactor) {
    this.#most = most
    this.#compact = compact
  }

  /** The number of the last event, not counting the end. */
  get last(): number {
    return this.#base + this.#events.length
  }

  get end(): End | undefined {
    return this.#end
  }

  /** The number of the end event. */
  get endNumber(): number {
    return this.last + 1
  }

  /** Whether events before this entry are missing. */
  isBeyond(entry: Entry): boolean {
    return this.#end === undefined && beforeOf(entry) > this.last
  }

  /** Appends an entry from the log. Ignores known events, and everything after the end. */
  append(entry: Entry): void {
    if (this.#end !== undefined) return
    if (this.isBeyond(entry)) this.#tear(beforeOf(entry))
    if (isEnd(entry)) {
      this.#end = { kind: entry.kind, reason: entry.reason }
      return
    }
    for (const event of entry.events.slice(this.last + 1 - entry.first)) {
      this.#events.push(event)
      this.#size += sizeOf(event)
    }
    if (this.#size > this.#most) this.#forget()
  }

  /** Merges a state from the store, as far as it has more. */
  adopt({ head, first, events, end }: RunState): void {
    if (this.#end !== undefined) return
    if (first - 1 + events.length > this.last) {
      if (first > this.last + 1) this.#tear(first - 1)
      this.append({ first, events })
      // It may replace events that are not kept here.
      if (head !== undefined && head.upTo > (this.#head?.upTo ?? 0)) this.#head = head
    }
    this.#end = end
  }

  /**
   * The state to save. Includes the events that `head` replaces, since returning clients continue from the middle of
   * them.
   */
  state(): RunState {
    return { head: this.#compacted(), first: this.#base + 1, events: this.#events, end: this.#end }
  }

  /**
   * The whole run, for a reader that has nothing: one compacted event in place of many, if possible. The end comes
   * last.
   */
  whole(): Portion {
    const head = this.#compacted()
    const upTo = head?.upTo ?? 0
    const events = this.#numbered(Math.max(this.#base, upTo))
    if (head !== undefined) events.unshift({ number: upTo, event: head.event })
    return { isTorn: upTo < this.#base, events }
  }

  /** The events after one; all of them if that one is unknown by now. */
  after(number: number): Portion {
    // The log has lost events that the reader has: the run ended without them.
    const isBeyond = this.#end !== undefined && number > this.endNumber
    if (number < this.#base || isBeyond) return { ...this.whole(), isTorn: true }
    return { isTorn: false, events: this.#numbered(number) }
  }

  #numbered(after: number): NumberedEvent[] {
    const events = this.#events
      .slice(Math.max(0, after - this.#base))
      .map((event, index) => ({ number: after + index + 1, event }))
    if (this.#end === undefined || after >= this.endNumber) return events
    const { kind, reason } = this.#end
    events.push({ number: this.endNumber, event: bare({ event: kind, data: JSON.stringify({ reason }) }) })
    return events
  }

  // Compacts all events so far, if there are new ones.
  #compacted(): Head | undefined {
    const upTo = this.#head?.upTo ?? 0
    if (this.#compact === undefined || upTo < this.#base || upTo === this.last) return this.#head
    const events = this.#events.slice(upTo - this.#base)
    if (this.#head !== undefined) events.unshift(this.#head.event)
    const event = this.#compact(events)
    if (event !== undefined) this.#head = { upTo: this.last, event }
    return this.#head
  }

  // Drops half of the limit at once, so that each event is moved only a few times.
  #forget(): void {
    this.#compacted()
    let count = 0
    while (this.#size > this.#most / 2 && count < this.#events.length - 1) {
      this.#size -= sizeOf(this.#events[count] ?? [null, ''])
      count += 1
    }
    this.#events = this.#events.slice(count)
    this.#base += count
  }

  // Drops everything, since events before `base` are missing.
  #tear(base: number): void {
    this.#base = base
    this.#events = []
    this.#size = 0
    this.#head = undefined
  }
}

// The number of the event before an entry.
function beforeOf(entry: Entry): number {
  return isEnd(entry) ? (entry.last ?? 0) : entry.first - 1
}

// The size of an empty event in the store.
const EMPTY_SIZE = JSON.stringify([null, '']).length

function sizeOf([event, data]: BareEvent): number {
  return EMPTY_SIZE + (event?.length ?? 0) + data.length
}
