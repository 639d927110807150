// One file: a model of a log server's memory, whose keys, history and subscriptions change in one step.
import type {
  Appended,
  LoggedEvent,
  LogPage,
  LogState,
  Outgoing,
  Predecessor,
  TopicPage,
  Wish,
} from '../../lib/broker/replica/log-engine.ts'
import type { HistoryLimits } from '../../lib/broker/history-policy.ts'
import { formatPosition, type Position } from '../../lib/wire/cursor.ts'
import { withId } from '../../lib/wire/frame.ts'
import type { EventHeaders } from '../../lib/wire/publish-options.ts'
import { keptOf } from './kept.ts'
import { BEGINNING } from './simulated-process.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A connection that listens. */
export interface Subscription {
  readonly topics: ReadonlySet<string>
  /** An event of a topic that is listened to. */
  event(topic: string, event: LoggedEvent): void
  /** What is told to all: an announcement, the mark of a fence, a new life of the log. */
  told(message: Told): void
}

export type Told =
  | { readonly kind: 'renewed' }
  | { readonly kind: 'fence'; readonly mark: number }
  | { readonly kind: 'announcement'; readonly number: number; readonly life: string; readonly text: string }

/** An event that a server has taken, as its replicas get it. */
export interface Entry {
  readonly seq: number
  readonly at: number
  readonly frame: Uint8Array
  readonly topics: readonly string[]
  readonly key: string | undefined
  readonly headers: EventHeaders | undefined
}

/** The event that was published first with a key, and until when that is remembered. */
interface First extends Position {
  readonly until: number
}

interface Topic {
  events: LoggedEvent[]
  bytes: number
  /** The last event, for as long as the server remembers it. */
  last: { readonly seq: number; readonly until: number }
}

interface Announcement {
  readonly number: number
  readonly text: string
}

/** How much longer a topic's last event is remembered than its history, in milliseconds. */
export const MEMORY = 1_000

/** A server of the remote log: what it has in memory, and who listens to it. Each call is one step. */
export class LogServer {
  readonly name: string
  /** By how much its clock is wrong, in milliseconds. */
  offset: number
  /** A server that only follows another one takes nothing. */
  isPrimary = false
  isFull = false
  /** Which life its announcements are of: numbers of another one have nothing to do with them. */
  life: string
  readonly subscriptions = new Set<Subscription>()
  readonly #time: VirtualTime
  readonly #newEpoch: () => string
  readonly #limitsOf: (topic: string) => HistoryLimits
  #topics = new Map<string, Topic>()
  #epoch: string
  #seq = 0
  #base = 0
  // Nothing was published after this to any topic that is not remembered: what the server can tell of those.
  readonly #forgotten = new Map<string, number>()
  readonly #keys = new Map<string, First>()
  #announcements: Announcement[] = []
  #announced = 0

  /** @param limitsOf how much of a topic is kept */
  constructor(
    name: string,
    time: VirtualTime,
    offset: number,
    newEpoch: () => string,
    limitsOf: (topic: string) => HistoryLimits = keptOf,
  ) {
    this.name = name
    this.offset = offset
    this.#time = time
    this.#newEpoch = newEpoch
    this.#limitsOf = limitsOf
    this.#epoch = newEpoch()
    this.life = this.#epoch
    this.begin(this.#epoch, this.#micros)
  }

  get now(): number {
    return BEGINNING + this.#time.now + this.offset
  }

  get epoch(): string {
    return this.#epoch
  }

  get state(): LogState {
    return { epoch: this.#epoch, seq: this.#seq, base: this.#base, now: Math.floor(this.now) }
  }

  /** Takes an event as the next one. Answers it as replicas are to take it. */
  take(outgoing: Outgoing): Entry {
    const seq = Math.max(this.#seq + 1, this.#micros)
    const frame = withId(formatPosition(this.#epoch, seq), outgoing.body)
    const { topics, key, headers } = outgoing
    const entry = { seq, at: Math.floor(this.now), frame, topics, key, headers }
    this.apply(entry)
    return entry
  }

  /** Where the event stands that was published with a key before. */
  firstOf(key: string, topics: readonly string[]): Appended | undefined {
    const first = this.#keys.get(key)
    if (first === undefined || first.until < Math.floor(this.now)) return undefined
    const { epoch, seq } = first
    const events = topics.map(topic => {
      return epoch === this.#epoch ? this.#eventsOf(topic).find(event => event.seq === seq) : undefined
    })
    const at = events.find(event => event !== undefined)?.at ?? 0
    return { epoch, seq, at, previous: events.map(event => event?.previous), isRepeat: true }
  }

  /** Where an event that has just been taken stands. */
  placeOf({ seq, at }: Entry, previous: readonly Predecessor[]): Appended {
    return { epoch: this.#epoch, seq, at, previous, isRepeat: false }
  }

  /** What stands before the next event, on each topic. */
  predecessors(topics: readonly string[]): Predecessor[] {
    return topics.map(topic => this.#lastOf(topic))
  }

  /** Puts an event into history, and hands it out. */
  apply({ seq, at, frame, topics, key, headers }: Entry): void {
    const common = { epoch: this.#epoch, seq, at, frame, isShared: topics.length > 1, ...(headers && { headers }) }
    const handed: [string, LoggedEvent][] = []
    for (const topic of topics) {
      const event: LoggedEvent = { ...common, previous: this.#lastOf(topic) }
      this.#append(topic, event)
      handed.push([topic, event])
    }
    this.#seq = seq
    if (key !== undefined) {
      const until = at + Math.max(...topics.map(topic => this.#limitsOf(topic).age))
      this.#keys.set(key, { epoch: this.#epoch, seq, until })
    }
    for (const [topic, event] of handed) {
      for (const subscription of this.subscriptions) {
        if (subscription.topics.has(topic)) subscription.event(topic, event)
      }
    }
  }

  read(wishes: readonly Wish[], bytes: number): LogPage {
    let room = bytes
    let isFull = false
    const topics = wishes.map(({ topic, after, count = Infinity }): TopicPage => {
      const wished = this.#eventsOf(topic).filter(({ seq }) => seq > after)
      const events: LoggedEvent[] = []
      for (const event of wished) {
        if (events.length === count) break
        isFull ||= room < event.frame.length && room < bytes
        if (isFull) break
        room -= event.frame.length
        events.push(event.isShared ? { ...event, isShared: false } : event)
      }
      const [first] = wished
      const next = count === 0 && first !== undefined ? { next: first } : {}
      return { topic, last: this.#lastOf(topic), events, ...next, more: events.length < Math.min(count, wished.length) }
    })
    return { state: this.state, topics }
  }

  /** Begins a life of the log that has nothing yet. */
  begin(epoch: string, seq: number): void {
    this.#epoch = epoch
    this.#seq = seq
    this.#base = seq
    this.#topics.clear()
    this.#forgotten.clear()
  }

  renew(lost: Position): void {
    if (lost.epoch !== this.#epoch) return
    this.begin(this.#newEpoch(), Math.max(this.#seq, lost.seq, this.#micros))
    this.tell({ kind: 'renewed' })
  }

  /** Loses everything that it had. */
  flush(): void {
    this.begin(this.#newEpoch(), this.#micros)
    this.#keys.clear()
    this.#announcements = []
    this.life = this.#epoch
  }

  /** Loses the history of a topic, for want of memory, and maybe also what it knows of its last event. */
  evict(topic: string, isWhole: boolean): void {
    if (isWhole) {
      this.#topics.delete(topic)
      this.#forgotten.delete(topic)
      return
    }
    const known = this.#topics.get(topic)
    if (known === undefined) return
    known.events = []
    known.bytes = 0
  }

  /** Becomes what another server is. */
  copy(other: LogServer): void {
    this.#epoch = other.#epoch
    this.#seq = other.#seq
    this.#base = other.#base
    this.#topics = new Map([...other.#topics].map(([name, topic]) => [name, { ...topic, events: [...topic.events] }]))
    this.#forgotten.clear()
    for (const [topic, seq] of other.#forgotten) this.#forgotten.set(topic, seq)
    this.#keys.clear()
    for (const [key, first] of other.#keys) this.#keys.set(key, first)
    this.#announcements = [...other.#announcements]
    this.#announced = other.#announced
    this.life = other.life
  }

  /** Tells all who listen. */
  tell(message: Told): void {
    for (const subscription of this.subscriptions) subscription.told(message)
  }

  announce(text: string): void {
    this.#announced += 1
    this.#announcements.push({ number: this.#announced, text })
    this.tell({ kind: 'announcement', number: this.#announced, life: this.life, text })
  }

  /** What was announced after a number, and the number of the last one. */
  announcedAfter(number: number): { readonly life: string; readonly last: number; readonly missed: Announcement[] } {
    const missed = this.#announcements.filter(announcement => announcement.number > number)
    return { life: this.life, last: this.#announced, missed }
  }

  get #micros(): number {
    return Math.floor(this.now * 1_000)
  }

  #append(topic: string, event: LoggedEvent): void {
    const known = this.#topics.get(topic) ?? { events: [], bytes: 0, last: { seq: 0, until: 0 } }
    const { count, bytes, age } = this.#limitsOf(topic)
    known.events.push(event)
    known.bytes += event.frame.length
    known.last = { seq: event.seq, until: event.at + age + MEMORY }
    // The newest event stays until it is too old.
    while (known.events.length > 1 && (known.events.length > count || known.bytes > bytes)) this.#dropOldest(known)
    this.#topics.set(topic, known)
    this.#forgotten.set(topic, event.seq)
  }

  #eventsOf(topic: string): readonly LoggedEvent[] {
    const known = this.#topics.get(topic)
    if (known === undefined) return []
    for (let [oldest] = known.events; oldest !== undefined; [oldest] = known.events) {
      if (this.now - oldest.at <= this.#limitsOf(topic).age) break
      this.#dropOldest(known)
    }
    return known.events
  }

  #dropOldest(topic: Topic): void {
    topic.bytes -= topic.events.shift()?.frame.length ?? 0
  }

  // Of what is too old nothing is remembered, but that nothing newer has come.
  #lastOf(topic: string): Predecessor {
    const last = this.#topics.get(topic)?.last
    if (last !== undefined && this.now < last.until) return { seq: last.seq, isKnown: true }
    const oldest = Math.floor((this.now - this.#limitsOf(topic).age) * 1_000)
    const seq = Math.max(this.#base, Math.min(oldest, this.#seq), this.#forgotten.get(topic) ?? 0)
    return { isKnown: false, seq, at: Math.floor(oldest / 1_000) }
  }
}
