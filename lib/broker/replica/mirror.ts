import type { Slice } from '../event-log.ts'
import { History } from '../history.ts'
import type { HistoryLimits } from '../history-policy.ts'
import { isMissing, type Remembered } from './acknowledged.ts'
import { deferred, type Deferred } from './deferred.ts'
import type { LoggedEvent, LogState, Predecessor, TopicPage, Wish } from './log-engine.ts'

/** Up to where nothing is missing: of what was published up to a `seq`, and until a time of the log in milliseconds. */
export interface Heard {
  readonly seq: number
  readonly at: number
}

/** Where history begins: behind an event, or behind a place in the log. */
type Beginning = Pick<Predecessor, 'seq' | 'isKnown'>

/** What is read of a topic of which nothing is here. */
export const NOTHING: Slice = Object.freeze({ events: [], more: false, trimmed: false, start: 0 })

// By how much the clocks of servers that follow each other may differ, in milliseconds.
const CLOCK_SLACK = 1_000

/**
 * What this instance has of one topic: every event since it began to listen, and once it was loaded all of the topic's
 * history. Bounded by the same limits as the log, so that a loaded mirror never has less than the log.
 *
 * A mirror is live, or held: while it is not known what stands before an event, what comes is kept aside, and what is
 * fetched is kept until all topics can go on together.
 */
export class Mirror {
  readonly topic: string
  /** Since when no stream has had the topic, by the monotonic clock. */
  idleSince: number | undefined
  /** Whether the engine listens to the topic, on the connection that there is. */
  isListenedTo = false
  /** Whether events are in no history any more, and nobody has been told yet. */
  hasLost = false

  readonly #limits: HistoryLimits
  #history: History | undefined
  // Where it was begun, unless that is where an event stands.
  #place: number | undefined
  #loaded = false
  // When the newest event was published that is known here, by the log's own time, and when it came, by the monotonic clock.
  #at = 0
  #heardAt = 0
  #isHeld = true
  #live = deferred()
  // While it is held: what was fetched, what came, and up to where nothing is missing from what was fetched.
  #fetched: LoggedEvent[] = []
  #arrived: LoggedEvent[] = []
  #complete: Heard = { seq: 0, at: -Infinity }
  // Publishers of this instance that wait until their event has been handed on here.
  readonly #publishers = new Map<number, Deferred>()

  constructor(topic: string, limits: HistoryLimits) {
    this.topic = topic
    this.#limits = limits
  }

  /** How long the topic's history reaches back, in milliseconds. */
  get age(): number {
    return this.#limits.age
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  /** Resolved when events of the topic arrive and nothing is missing from there on. */
  get live(): Promise<void> {
    return this.#live.promise
  }

  /** The `seq` of the last event that was handed on, `undefined` before the first look into the log. */
  get last(): number | undefined {
    return this.#history?.last
  }

  /** The last event that was handed on, as the log must still know it. */
  get remembered(): Remembered {
    const { last = 0 } = this
    // Where nothing has come since it was begun at a place, nothing stands there.
    return { seq: last === this.#place ? 0 : last, at: this.#at, heardAt: this.#heardAt }
  }

  /** What is to be asked for: what comes after all that is here, and before the first look only where the topic stands. */
  get wish(): Wish {
    const { topic, last } = this
    return last === undefined ? { topic, after: 0, count: 0 } : { topic, after: this.#end(last) }
  }

  /** Epochs of what has come while the mirror was held. */
  get arrivedEpochs(): string[] {
    return this.#arrived.map(({ epoch }) => epoch)
  }

  /** Resolves when an event has been handed on, or at once where it need not be waited for: it is held, or was before. */
  handedOn(seq: number): Promise<void> | undefined {
    if (this.#isHeld || this.#history === undefined || seq <= this.#history.last) return undefined
    const publisher = this.#publishers.get(seq) ?? deferred()
    this.#publishers.set(seq, publisher)
    return publisher.promise
  }

  /** Whether history after a `seq` would have to be fetched. */
  lacks(since: number): boolean {
    return !this.#loaded && this.#history !== undefined && since < this.#history.trimmed
  }

  /**
   * Begins, or begins anew, behind a `seq`: of what was before nothing is here.
   *
   * @param loaded whether the log has nothing of it either
   */
  begin(seq: number, loaded = false): void {
    this.#begin({ seq, isKnown: false }, loaded)
  }

  /** Keeps aside what comes, until it is known what is missing. Of what was published until it was heard nothing is. */
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

  /** Forgets what has come by now: what the log is asked for next has it. Answers the epochs that it was of. */
  forgetArrived(): string[] {
    return this.#arrived.splice(0).map(({ epoch }) => epoch)
  }

  /**
   * Takes what the log answered to `wish`, and where it stood then. If events are gone that were wished for,
   * the mirror begins anew behind them.
   */
  fetch({ last, events, more }: TopicPage, { seq, now }: Pick<LogState, 'seq' | 'now'>): void {
    if (this.#history === undefined) {
      this.#begin(last, !last.isKnown)
      this.#complete = { seq: Math.max(seq, last.seq), at: now }
      return
    }
    const [first] = events
    // Nothing of it was on that page.
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

  /** What was fetched, and of what came meanwhile that which follows it. */
  takeMissed(): LoggedEvent[] {
    const missed = this.#fetched
    let end = this.#end(this.#history?.last ?? 0)
    for (const event of this.#arrived) {
      const { previous, seq } = event
      // Where the log has forgotten what stands before it, nothing has come since it was asked.
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
   * Whether an event comes right behind the last one, as long as nothing gets lost on its way. Where the log has forgotten
   * what stands before it, that was long ago; it would have known the last one here if it had not lost it.
   *
   * @param here the time by the monotonic clock
   */
  isNext({ previous, at }: LoggedEvent, here: number): boolean {
    if (previous.isKnown) return this.#isAt(previous.seq, this.last ?? 0)
    return !isMissing(this.remembered, previous, { log: at, here })
  }

  /** @param here the time by the monotonic clock */
  append(event: LoggedEvent, here: number): void {
    this.#history?.append(event, this.#limits)
    this.#at = event.at
    this.#heardAt = here
  }

  /** An event has been handed on to the streams. */
  passed(seq: number): void {
    if (this.#publishers.size > 0) this.#release(seq)
  }

  /** Puts what the log has of the topic's history before what is here. */
  load({ events, last }: Pick<TopicPage, 'events' | 'last'>): void {
    const recent = this.#history
    if (recent === undefined) return
    this.#loaded = true
    const older = events.filter(({ seq }) => seq <= recent.trimmed)
    const next = events[older.length]
    // If the log has lost its own, what is here is still whole.
    if (!this.#isBehind(recent, older.at(-1), next, next?.previous ?? last)) return
    const joined = historyBehind(older[0]?.previous ?? next?.previous ?? last)
    for (const event of [...older, ...recent.read(recent.trimmed, Infinity).events]) joined.append(event, this.#limits)
    this.#history = joined
  }

  // Whether what is here follows the last one of older events, or what stands before the next one of the log if there are none.
  #isBehind(
    recent: History,
    older: LoggedEvent | undefined,
    next: LoggedEvent | undefined,
    before: Predecessor,
  ): boolean {
    if (older?.seq === recent.trimmed) return true
    // Nobody knows of an event where it was begun: one before may be the last one.
    if (recent.trimmed !== this.#place) return false
    const [first] = recent.read(recent.trimmed, 1).events
    // The next one may still be on its way here.
    if (first !== undefined && first.seq !== next?.seq) return false
    return older === undefined ? before.seq < recent.trimmed : before.isKnown && before.seq === older.seq
  }

  /** Forgets what is too old by the log's own time, in milliseconds since 1970. */
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

  // Whether nothing is between an event and where the mirror ends: a place at which it was begun stands behind the last one.
  #isAt(seq: number, end: number): boolean {
    return seq === end || (seq < end && end === this.#place)
  }

  // The log has forgotten the topic's last event: nothing came after a `seq`, nor after a time. Before that something may have.
  // Times say nothing where the log's clock has been set back since.
  #mayHaveMissed({ seq, at }: Heard, now: number): boolean {
    const isSetBack = now < this.#complete.at - CLOCK_SLACK
    return seq > this.#complete.seq && (at > this.#complete.at || isSetBack)
  }

  #end(last: number): number {
    return this.#fetched.at(-1)?.seq ?? last
  }

  // They wait in the order of the log, so that what is passed stands first: many may wait. One that began late is released
  // with the one before it in line.
  #release(seq: number): void {
    for (const [waited, publisher] of this.#publishers) {
      if (waited > seq) return
      this.#publishers.delete(waited)
      publisher.resolve()
    }
  }
}

// Of an event that is known, and not here, whoever wishes for more than there is has to hear. When it was published its `seq`
// says, which is the time in microseconds, but for a log that is ahead of its clock.
function historyBehind({ seq, isKnown }: Beginning): History {
  return new History(seq, isKnown && seq > 0 ? seq / 1_000 : undefined)
}
