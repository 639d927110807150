import { completeClock, type Clock } from '../../clock.ts'
import { EventStreamError } from '../../errors.ts'
import { integer, knownKeys } from '../../options.ts'
import { formatPosition, type Position } from '../../wire/cursor.ts'
import { withId } from '../../wire/frame.ts'
import type { PublishNotes } from '../../wire/publish-options.ts'
import type { Broker, BrokerListener, ControlMessage } from '../broker.ts'
import type { Slice, StoredEvent } from '../event-log.ts'
import { History } from '../history.ts'
import { HistoryPolicy, type HistoryLimits, type HistoryOptions } from '../history-policy.ts'
import { ActiveTopics } from './active-topics.ts'
import { MemoryLeases } from './leases.ts'
import { PublishedKeys } from './published-keys.ts'
import { MemoryRoster } from './roster.ts'
import { MemoryStore } from './store.ts'

/** The default number of topics without history whose last position is kept. */
export const DEFAULT_QUIET_TOPICS = 100_000

const EMPTY: readonly StoredEvent[] = []

// Characters taken from the end of a random identifier: enough to make epochs unique.
const EPOCH_LENGTH = 12

export interface MemoryBrokerOptions {
  history?: HistoryOptions & {
    /**
     * The number of topics without events in history whose last position is kept. Default 100,000. Beyond it, a client
     * that resumes on such a topic may get a false gap.
     */
    quietTopics?: number
  }
  /** Source of time. For tests, which give it the hub's. */
  clock?: Partial<Clock> | undefined
}

/**
 * The in-memory engine: a log in this process's memory. History ends with the process; clients that reconnect to
 * another epoch get a gap.
 *
 * @throws {TypeError} for an invalid option
 */
export function memoryBroker(options: MemoryBrokerOptions = {}): Broker {
  knownKeys('memoryBroker', options, ['history', 'clock'])
  const policy = new HistoryPolicy(options.history, ['quietTopics'])
  const quietTopics = integer('history.quietTopics', options.history?.quietTopics, { default: DEFAULT_QUIET_TOPICS })
  return new MemoryBroker(policy, quietTopics, completeClock(options.clock))
}

class MemoryBroker implements Broker {
  readonly store: MemoryStore
  readonly leases: MemoryLeases
  readonly roster: MemoryRoster
  readonly ready = true

  readonly #policy: HistoryPolicy
  readonly #maxQuiet: number
  readonly #clock: Clock
  #epoch: string
  // Added to the monotonic clock it gives the time since 1970, as of the log's beginning.
  readonly #origin: number
  #active = new ActiveTopics()
  // Topics whose events have all expired, with the `seq` of their last one; the longest inactive first.
  readonly #quiet = new Map<string, number>()
  readonly #subscribed = new Set<string>()
  #keys = new PublishedKeys(() => this.#now)
  // A topic in neither map has no events after this `seq`.
  #forgotten = 0
  #seq = 0
  #listener: BrokerListener | undefined
  #closed = false

  constructor(policy: HistoryPolicy, maxQuiet: number, clock: Clock) {
    this.#policy = policy
    this.#maxQuiet = maxQuiet
    this.#clock = clock
    this.#epoch = newEpoch(clock)
    this.#origin = clock.now() - clock.monotonic()
    this.store = new MemoryStore(clock)
    this.leases = new MemoryLeases(clock)
    this.roster = new MemoryRoster(clock)
  }

  listen(listener: BrokerListener): void {
    this.#listener = listener
    this.#policy.failed = error => {
      listener.fault('history.of', error)
    }
  }

  async publish(topics: readonly string[], body: Uint8Array, { key, headers }: PublishNotes = {}): Promise<string> {
    if (this.#closed) throw new EventStreamError('ERR_BROKER', 'the memory broker is closed')
    const first = key === undefined ? undefined : this.#keys.idOf(key)
    if (first !== undefined) return first
    const at = this.#now
    this.#seq = Math.max(this.#seq + 1, Math.floor(at * 1_000))
    const id = formatPosition(this.#epoch, this.#seq)
    const event: StoredEvent = { seq: this.#seq, at, frame: withId(id, body), ...(headers && { headers }) }
    const ages = topics.map(topic => this.#append(topic, event))
    if (key !== undefined) this.#keys.add(key, id, at + Math.max(...ages))
    this.#quieten(at)
    const heard = topics.filter(topic => this.#subscribed.has(topic))
    if (heard.length > 0) this.#listener?.event(heard, event)
    return id
  }

  subscribe(topic: string): void {
    this.#subscribed.add(topic)
  }

  unsubscribe(topic: string): void {
    this.#subscribed.delete(topic)
  }

  load(): void {
    // All history is in memory.
  }

  position(): Position {
    return { epoch: this.#epoch, seq: this.#seq }
  }

  time(): number {
    return this.#now
  }

  look(): Position {
    return this.position()
  }

  read(topic: string, after: number, limit: number): Slice {
    const history = this.#historyOf(topic)
    if (history === undefined) {
      const start = this.#lastOf(topic)
      return { events: EMPTY, more: false, trimmed: after < start, start }
    }
    return history.read(after, limit)
  }

  startOfLast(topic: string, count: number): number {
    const history = this.#historyOf(topic)
    if (history === undefined) return this.#lastOf(topic)
    return history.startOfLast(count)
  }

  limitsOf(topic: string): HistoryLimits {
    return this.#policy.limitsOf(topic)
  }

  async lose(): Promise<void> {
    this.#epoch = newEpoch(this.#clock)
    this.#active = new ActiveTopics()
    this.#quiet.clear()
    this.#keys = new PublishedKeys(() => this.#now)
    this.#forgotten = this.#seq
    this.#listener?.gap([...this.#subscribed], 'epoch')
  }

  async announce(message: ControlMessage): Promise<void> {
    if (!this.#closed) this.#listener?.control(message)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#listener = undefined
  }

  // A change of the system clock must not change the age of events.
  get #now(): number {
    return this.#origin + this.#clock.monotonic()
  }

  #historyOf(topic: string): History | undefined {
    const active = this.#active.get(topic)
    active?.history.expire(this.#now, active.limits)
    return active?.history
  }

  // Returns how long the topic keeps the event.
  #append(topic: string, event: StoredEvent): number {
    const limits = this.#policy.limitsOf(topic)
    const history = this.#active.get(topic)?.history ?? new History(this.#lastOf(topic))
    history.append(event, limits)
    this.#active.touch(topic, { history, limits })
    this.#quiet.delete(topic)
    return limits.age
  }

  // Reduces topics whose events are all too old to their last `seq`.
  #quieten(now: number): void {
    for (const [topic, { history }] of this.#active.takeExpired(now)) this.#quiet.set(topic, history.last)
    for (const [topic, seq] of this.#quiet) {
      if (this.#quiet.size <= this.#maxQuiet) break
      this.#quiet.delete(topic)
      this.#forgotten = Math.max(this.#forgotten, seq)
    }
  }

  #lastOf(topic: string): number {
    return this.#quiet.get(topic) ?? this.#forgotten
  }
}

function newEpoch(clock: Clock): string {
  return clock.id().slice(-EPOCH_LENGTH)
}
