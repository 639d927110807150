import { bare, isEnd, type BareEvent, type End, type Entry } from './batch.ts'

/** One event stands for all before it. Answers `undefined` where that cannot be had. */
export type Compactor = (events: readonly BareEvent[]) => BareEvent | undefined

/** An event that stands for all events up to a number. */
interface Head {
  readonly upTo: number
  readonly event: BareEvent
}

/** What has been said in a run, as it is kept beside the log. */
export interface RunState {
  readonly head?: Head | undefined
  /** The number that the first of `events` has. */
  readonly first: number
  readonly events: readonly BareEvent[]
  readonly end?: End | undefined
}

/** An event of a run with its number, which is its id. */
export interface NumberedEvent {
  readonly number: number
  readonly event: BareEvent
}

/** What a reader is to get next. */
export interface Portion {
  /** Whether events before these are missing, and no event stands for them. */
  readonly isTorn: boolean
  readonly events: readonly NumberedEvent[]
}

/**
 * What has been said in a run: its events in a row without a hole, numbered, up to a number of characters. Of what is
 * older one event is kept that stands for it, where the application can make one.
 *
 * Every instance that has readers of the run builds it from the same log, so all agree on every number and on the end: the
 * first end in the log is the only one, and nothing comes after it.
 */
export class RunLog {
  readonly #compact: Compactor | undefined
  readonly #most: number
  #head: Head | undefined
  // The number of the event before the first of these.
  #base = 0
  #events: BareEvent[] = []
  #size = 0
  #end: End | undefined

  /** @param most how many characters of events it keeps */
  constructor(most: number, compact?: Compactor) {
    this.#most = most
    this.#compact = compact
  }

  /** The number of the last event, its end not counted. */
  get last(): number {
    return this.#base + this.#events.length
  }

  get end(): End | undefined {
    return this.#end
  }

  /** The number of the event that says the end. */
  get endNumber(): number {
    return this.last + 1
  }

  /** Whether events before this entry are missing. */
  isBeyond(entry: Entry): boolean {
    return this.#end === undefined && beforeOf(entry) > this.last
  }

  /** Takes in an entry of the log. What it has already, and what comes after the end, changes nothing. */
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

  /** Takes in what was kept beside the log, as far as that goes further. */
  adopt({ head, first, events, end }: RunState): void {
    if (this.#end !== undefined) return
    if (first - 1 + events.length > this.last) {
      if (first > this.last + 1) this.#tear(first - 1)
      this.append({ first, events })
      // It may stand for what is not kept here.
      if (head !== undefined && head.upTo > (this.#head?.upTo ?? 0)) this.#head = head
    }
    this.#end = end
  }

  /** Where clients come back that have read a part, they are to go on from it: what `head` stands for is kept, too. */
  state(): RunState {
    return { head: this.#compacted(), first: this.#base + 1, events: this.#events, end: this.#end }
  }

  /** All of it, for who has nothing: one event in place of many, where that can be had. The end is the last. */
  whole(): Portion {
    const head = this.#compacted()
    const upTo = head?.upTo ?? 0
    const events = this.#numbered(Math.max(this.#base, upTo))
    if (head !== undefined) events.unshift({ number: upTo, event: head.event })
    return { isTorn: upTo < this.#base, events }
  }

  /** What comes after an event. Where that cannot be told any more, all of it. */
  after(number: number): Portion {
    // What a reader has beyond the end the log has lost: the run ended without it.
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

  // Makes one event of all, where there is more than one.
  #compacted(): Head | undefined {
    const upTo = this.#head?.upTo ?? 0
    if (this.#compact === undefined || upTo < this.#base || upTo === this.last) return this.#head
    const events = this.#events.slice(upTo - this.#base)
    if (this.#head !== undefined) events.unshift(this.#head.event)
    const event = this.#compact(events)
    if (event !== undefined) this.#head = { upTo: this.last, event }
    return this.#head
  }

  // Half of what is allowed goes at once, so that each event is moved a few times at most.
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

  // Nothing is known of what was before.
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

// An event without a name and data takes as much as it does in the store.
const EMPTY_SIZE = JSON.stringify([null, '']).length

function sizeOf([event, data]: BareEvent): number {
  return EMPTY_SIZE + (event?.length ?? 0) + data.length
}
