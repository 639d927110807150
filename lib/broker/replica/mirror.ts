import type { Slice } from '../event-log.ts'
import { History } from '../history.ts'
import type { HistoryLimits } from '../history-policy.ts'
import { isMissing, type Remembered } from './acknowledged.ts'
import { deferred, type Deferred } from './deferred.ts'
import type { LoggedEvent, LogState, Predecessor, TopicPage, Wish } from './log-engine.ts'

/** The point up to which nothing is missing: of events up to a `seq`, and up to a time of the log in milliseconds. */
export interface Heard {
  readonly seq: number
  readonly at: number
}

/** Where history begins: after an event, or after a place in the log. */
type Beginning = Pick<Predecessor, 'seq' | 'isKnown'>

/** The slice of a topic without a mirror. */
export const NOTHING: Slice = Object.freeze({ events: [], more: false, trimmed: false, start: 0 })

// The most by which the clocks of successive servers may differ, in milliseconds.
const CLOCK_SLACK = 1_000

/**
 * This instance's copy of one topic: every event since it was subscribed to, and once loaded the whole history. Bounded
 * by the log's limits, so that a loaded mirror never has less than the log.
 *
 * A mirror is live, or held: while the predecessor of an event is unknown, incoming events are kept aside, and fetched
 * ones are kept until all topics can continue together.
 *
 * One file, since every method changes the same history and held events.
 */
export class Mirror {
  readonly topic: string
  /** Since when no stream has had the topic, on the monotonic clock. */
  idleSince: number | undefined
  /** Whether the engine is subscribed to the topic on the current connection. */
  isListenedTo = false
  /** Whether events are lost and not in history, and this has not been reported yet. */
  hasLost = false

  readonly #limits: HistoryLimits
  #history: History | undefined
  // Where it began, unless there is an event at that place.
  #place: number | undefined
  #loaded = false
  // When the newest known event was published, by the log's clock, and when it arrived, on the monotonic clock.
  #at = 0
  #heardAt = 0
  #isHeld = true
  #live = deferred()
  // While held: fetched events, incoming events, and the point up to which nothing is missing from the fetched ones.
  #fetched: LoggedEvent[] = []
  #arrived: LoggedEvent[] = []
  #complete: Heard = { seq: 0, at: -Infinity }
  // Publishers on this instance that wait until their event has been delivered here.
  readonly #publishers = new Map<number, Deferred>()

  constructor(topic: string, limits: HistoryLimits) {
    this.topic = topic
    this.#limits = limits
  }

  /** The age of the topic's history, in milliseconds. */
  get age(): number {
    return this.#limits.age
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Resolves when the topic is subscribed to and nothing will be missing from then on. */
  get live(): Promise<void> {
    return this.#live.promise
  }

  /** The `seq` of the last delivered event, `undefined` before the first read. */
  get last(): number | undefined {
    return this.#history?.last
  }

  /** The last delivered event, which the log must still have. */
  get remembered(): Remembered {
    const { last = 0 } = this
    // If nothing has arrived since it began at a place, there is no event at that place.
    return { seq: last === this.#place ? 0 : last, at: this.#at, heardAt: this.#heardAt }
  }

  /** What to read: everything after the mirror's end, and before the first read only the topic's end. */
  get wish(): Wish {
    const { topic, last } = this
    return last === undefined ? { topic, after: 0, count: 0 } : { topic, after: this.#end(last) }
  }

  /** Epochs of the events that arrived while the mirror was held. */
  get arrivedEpochs(): string[] {
    return this.#arrived.map(({ epoch }) => epoch)
  }

  /**
   * Resolves when an event has been delivered, or at once if waiting is pointless: it is held, or was delivered before.
   */
  handedOn(seq: number): Promise<void> | undefined {
    if (this.#isHeld || this.#history === undefined || seq <= this.#history.last) return undefined
    const publisher = this.#publishers.get(seq) ?? deferred()
    this.#publishers.set(seq, publisher)
    return publisher.promise
  }

  /** Whether history after a `seq` needs to be loaded. */
  lacks(since: number): boolean {
    return !this.#loaded && this.#history !== undefined && since < this.#history.trimmed
  }

  /**
   * Starts, or restarts, after a `seq`, with no events before it.
   *
   * @param loaded whether the log has none of them either
   */
  begin(seq: number, loaded = false): void {
    this.#begin({ seq, isKnown: false }, loaded)
  }

  /** Holds incoming events until the missing ones are known. Nothing is missing up to `heard`. */
  hold(heard: Heard): void {
    if (this.#isHeld) return
    this.#isHeld = true
    this.#complete = heard
    this.#arrived = []
    this.#release(Infinity)
    this.#live = deferred()
  }

  /** Keeps an event aside. */
  keep(event: LoggedEvent): void {
    this.#arrived.push(event)
  }

  /** Drops the events that have arrived so far: the next read includes them. Returns their epochs. */
  forgetArrived(): string[] {
    return this.#arrived.splice(0).map(({ epoch }) => epoch)
  }

  /**
   * Takes the reply to `wish`, and the log's end at that time. If wanted events are gone, the mirror restarts after
   * them.
   */
  fetch({ last, events, more }: TopicPage, { seq, now }: Pick<LogState, 'seq' | 'now'>): void {
    if (this.#history === undefined) {
      this.#begin(last, !last.isKnown)
      this.#complete = { seq: Math.max(seq, last.seq), at: now }
      return
    }
    const [first] = events
    // The page had no room for its events.
    if (first === undefined && more) return
    const before = first?.previous ?? last
    if (before.isKnown ? before.seq > this.#end(this.#history.last) : this.#mayHaveMissed(before, now)) {
      this.#begin(before, true)
      this.hasLost = true
    }
    const end = this.#end(this.#history.last)
    for (const event of events) if (event.seq > end) this.#fetched.push(event)
    this.#complete = more
      ? (this.#fetched.at(-1) ?? this.#complete)
      : { seq: Math.max(seq, this.#complete.seq), at: now }
  }

  /** Takes the fetched events, and those held events that follow them. */
  takeMissed(): LoggedEvent[] {
    const missed = this.#fetched
    let end = this.#end(this.#history?.last ?? 0)
    for (const event of this.#arrived) {
      const { previous, seq } = event
      // If the log has forgotten the predecessor, nothing has arrived since the read.
      if ((previous.isKnown && !this.#isAt(previous.seq, end)) || seq <= end) continue
      missed.push(event)
      end = seq
    }
    this.#fetched = []
    this.#arrived = []
    return missed
  }

  /** Is live from now on. */
  goLive(): void {
    this.#isHeld = false
    this.#live.resolve()
  }

  /** Will never be live. */
  fail(error: Error): void {
    this.#live.reject(error)
    this.#release(Infinity)
  }

  /**
   * Whether an event directly follows the last one, if nothing gets lost in transit. If the log has forgotten its
   * predecessor, that was long ago; the log would know the last event here if it had not lost it.
   *
   * @param here the time on the monotonic clock
   */
  isNext({ previous, at }: LoggedEvent, here: number): boolean {
    if (previous.isKnown) return this.#isAt(previous.seq, this.last ?? 0)
    return !isMissing(this.remembered, previous, { log: at, here })
  }

  /** @param here the time on the monotonic clock */
  append(event: LoggedEvent, here: number): void {
    this.#history?.append(event, this.#limits)
    this.#at = event.at
    this.#heardAt = here
  }

  /** An event has been delivered to the streams. */
  passed(seq: number): void {
    if (this.#publishers.size > 0) this.#release(seq)
  }

  /** Prepends the log's history of the topic to the mirror. */
  load({ events, last }: Pick<TopicPage, 'events' | 'last'>): void {
    const recent = this.#history
    if (recent === undefined) return
    this.#loaded = true
    const older = events.filter(({ seq }) => seq <= recent.trimmed)
    const next = events[older.length]
    // If the log has lost some of it, the mirror is still complete on its own.
    if (!this.#isBehind(recent, older.at(-1), next, next?.previous ?? last)) return
    const joined = historyBehind(older[0]?.previous ?? next?.previous ?? last)
    for (const event of [...older, ...recent.read(recent.trimmed, Infinity).events]) joined.append(event, this.#limits)
    this.#history = joined
  }

  // Whether the mirror follows the last of the older events, or without those the predecessor of the log's next event.
  #isBehind(
    recent: History,
    older: LoggedEvent | undefined,
    next: LoggedEvent | undefined,
    before: Predecessor,
  ): boolean {
    if (older?.seq === recent.trimmed) return true
    // No event is known at the place where it began: an earlier one may be the last.
    if (recent.trimmed !== this.#place) return false
    const [first] = recent.read(recent.trimmed, 1).events
    // The next one may still be in transit.
    if (first !== undefined && first.seq !== next?.seq) return false
    return older === undefined ? before.seq < recent.trimmed : before.isKnown && before.seq === older.seq
  }

  /** Trims events that are too old by the log's clock, in milliseconds since 1970. */
  expire(now: number): void {
    this.#history?.expire(now, this.#limits)
  }

  read(after: number, limit: number): Slice {
    return this.#history?.read(after, limit) ?? NOTHING
  }

  startOfLast(count: number): number {
    return this.#history?.startOfLast(count) ?? 0
  }

  #begin(before: Beginning, loaded: boolean): void {
    this.#history = historyBehind(before)
    this.#place = before.isKnown ? undefined : before.seq
    this.#loaded = loaded
    this.#at = 0
    this.#fetched = []
    this.#complete = { seq: before.seq, at: -Infinity }
  }

  // Whether no event lies between a `seq` and the mirror's end; a place where it began lies after the last event.
  #isAt(seq: number, end: number): boolean {
    return seq === end || (seq < end && end === this.#place)
  }

  // The log has forgotten the topic's last event: nothing was published after a `seq` and a time, but something may
  // have been before. Times prove nothing if the log's clock has been set back since.
  #mayHaveMissed({ seq, at }: Heard, now: number): boolean {
    const isSetBack = now < this.#complete.at - CLOCK_SLACK
    return seq > this.#complete.seq && (at > this.#complete.at || isSetBack)
  }

  #end(last: number): number {
    return this.#fetched.at(-1)?.seq ?? last
  }

  // Waiters are in the order of the log, so those to be released come first: there may be many. A late one is released
  // with the one before it.
  #release(seq: number): void {
    for (const [waited, publisher] of this.#publishers) {
      if (waited > seq) return
      this.#publishers.delete(waited)
      publisher.resolve()
    }
  }
}

// If the predecessor is known but not here, a reader from before it must be told of the gap. Its `seq` gives its time
// in microseconds, unless the log is ahead of its clock.
function historyBehind({ seq, isKnown }: Beginning): History {
  return new History(seq, isKnown && seq > 0 ? seq / 1_000 : undefined)
}
