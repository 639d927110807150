import type { Clock } from '../../clock.ts'
import { within } from '../../deadline.ts'
import { CATCH_UP, type CatchUpMessage } from '../../diagnostics.ts'
import { EventStreamError } from '../../errors.ts'
import type { Position } from '../../wire/cursor.ts'
import type { BrokerListener } from '../broker.ts'
import type { Slice } from '../event-log.ts'
import type { HistoryPolicy } from '../history-policy.ts'
import type { Moment } from './acknowledged.ts'
import { catchUp } from './catch-up.ts'
import { HistoryLoader } from './history-loader.ts'
import type { LogEngine, LoggedEvent, LogListener, LogState, Outgoing } from './log-engine.ts'
import { LogWriter } from './log-writer.ts'
import type { Mirror } from './mirror.ts'
import { LINGER, Mirrors } from './mirrors.ts'
import { PastEpochs } from './past-epochs.ts'
import { SharedLook } from './shared-look.ts'

// How long events of a past epoch may arrive before the log is checked, in milliseconds.
const DOUBT = 500

// The difference in milliseconds between a live event's time and the log's estimated clock at which that is read again.
const STEP = 5_000

// The least milliseconds between two sweeps of expired or unused data.
const SHORTEST_SWEEP = 100

/** The replica's events: the part of an engine's listener that concerns the log. */
export type ReplicaListener = Pick<BrokerListener, 'event' | 'gap' | 'readiness' | 'fault'>

export interface ReplicaParts {
  readonly engine: LogEngine
  readonly policy: HistoryPolicy
  readonly clock: Clock
  readonly listener: ReplicaListener
  /** The timeout of a subscription or a read, in milliseconds. */
  readonly timeout: number
  /** The most events of this instance in flight. */
  readonly maxPending: number
}

/**
 * - `connecting`: not connected to the log. Anything may be missed.
 * - `asking`: connected, and reading what was missed.
 * - `live`: events are delivered as they arrive.
 * - `holding`: events may be missing in spite of the connection, such as after a gap in a topic's chain of
 *   predecessors. The replica reads what was missed, and still counts as ready, since that takes moments.
 * - `closed`
 */
type Phase = 'connecting' | 'asking' | 'live' | 'holding' | 'closed'

/**
 * This instance's copy of a remote log, for the topics of its streams.
 *
 *     connecting ── up ──▶ asking ── all is in order ──▶ live ── doubt ──▶ holding ── all is in order ──▶ live
 *          ▲                 └───────────┐                └─────────────────┐ │
 *          └──────────────────────────── down ────────────────────────────────┘
 *
 * Events are delivered in the order of the log. While it is not live all topics are held: incoming events are kept
 * aside, missed ones are read from the log, and delivery continues only once all are in order. A new topic is held
 * alone while the others are live.
 *
 * One file, since it is one state machine: every phase uses the same held topics and counters.
 */
export class Replica implements LogListener {
  readonly #parts: ReplicaParts
  readonly #engine: LogEngine
  readonly #writer: LogWriter
  readonly #mirrors: Mirrors
  readonly #loader: HistoryLoader
  readonly #looks = new SharedLook(() => this.#look())
  readonly #past = new PastEpochs()
  #stopSweeping: (() => void) | undefined
  // When the next sweep is due, on the monotonic clock.
  #sweepAt = Infinity
  #phase: Phase = 'connecting'
  // Held mirrors whose missing events have not been read yet.
  readonly #unasked = new Set<Mirror>()
  // Counts connections, and moments from which events may be missing: earlier reads are discarded.
  #connection = 0
  #doubts = 0
  #isAsking = false
  #epoch = ''
  #seq = 0
  #base = 0
  // When the log's end was last known: on the log's clock, and on the monotonic clock.
  #looked: Moment = { log: 0, here: 0 }
  #isWritable = true
  #writeError: unknown
  #isReadable = true
  #readError: unknown
  // Unknown until the first attempt has succeeded or failed.
  #ready: boolean | undefined
  #stopDoubting: (() => void) | undefined

  constructor(parts: ReplicaParts) {
    const { engine, policy, clock, maxPending } = parts
    this.#parts = parts
    this.#engine = engine
    this.#writer = new LogWriter(engine, { maxPending, clock })
    this.#mirrors = new Mirrors(policy)
    this.#loader = new HistoryLoader(engine)
    this.#sweepWithin(LINGER / 2)
  }

  get ready(): boolean {
    return this.#ready === true
  }

  /** The log's estimated clock: late by less than half a round trip. */
  get time(): number {
    return this.#now
  }

  /** Everything up to here has been delivered, on the live topics. */
  get position(): Position {
    return { epoch: this.#epoch, seq: this.#seq }
  }

  // Called by the hub.

  async publish(event: Outgoing): Promise<Position> {
    const { epoch, seq, isRepeat } = await this.#writer.publish(event)
    // The first event may have had other topics. After a look, everything in the log so far has been delivered.
    if (isRepeat) await this.look().catch(() => undefined)
    else await this.#handedOn(event.topics, seq)
    return { epoch, seq }
  }

  subscribe(topic: string): void | Promise<void> {
    const mirror = this.#mirrors.get(topic) ?? this.#addMirror(topic)
    mirror.idleSince = undefined
    return mirror.isHeld ? this.#inTime(mirror.live) : undefined
  }

  unsubscribe(topic: string): void {
    const mirror = this.#mirrors.get(topic)
    if (mirror !== undefined) mirror.idleSince = this.#parts.clock.monotonic()
  }

  /** Catches up if a client is ahead of this replica, and loads the history that is missing here. */
  async load(topics: readonly string[], since: number, epoch?: string): Promise<void> {
    // Pending events belong to a topic's latest. If they do not arrive in time, use what is here.
    if (this.#phase === 'holding') await this.#inTime(this.#liveOf(topics)).catch(() => undefined)
    if (this.#isAhead(since, epoch)) await this.#catchUpWith(topics, since, epoch)
    const lacking = topics.flatMap(topic => this.#mirrors.get(topic) ?? []).filter(mirror => mirror.lacks(since))
    await Promise.all(lacking.map(mirror => this.#loader.load(mirror, this.#epoch)))
  }

  /** Reads the log's end. Everything published up to there has been delivered, or is held. */
  async look(): Promise<Position> {
    const { epoch, seq, now } = await this.#inTime(this.#looks.ask())
    this.#noteTime(now)
    if (this.#phase === 'live' && epoch !== this.#epoch) this.#doubt()
    else if (this.#phase === 'live') this.#seq = Math.max(this.#seq, seq)
    return { epoch, seq }
  }

  /** Begins a new life of the log, and resolves when this instance goes on in it. */
  async lose(): Promise<void> {
    const { epoch, seq } = await this.look()
    await this.#engine.renew({ epoch, seq })
    await this.look()
    await this.#inTime(this.#liveOf(this.#mirrors.topics))
  }

  read(topic: string, after: number, limit: number): Slice {
    return this.#mirrors.read(topic, Math.max(after, this.#base), limit, this.#now)
  }

  startOfLast(topic: string, count: number): number {
    return this.#mirrors.startOfLast(topic, count, this.#now) ?? this.#seq
  }

  close(): void {
    this.#phase = 'closed'
    this.#connection += 1
    this.#stopSweeping?.()
    this.#stopDoubting?.()
    const error = new EventStreamError('ERR_BROKER', 'the broker is closed')
    for (const mirror of this.#mirrors) mirror.fail(error)
  }

  // Called by the engine.

  async up(): Promise<void> {
    this.#connection += 1
    this.#phase = 'asking'
    this.#holdAll()
    for (const mirror of this.#mirrors) mirror.isListenedTo = false
    await this.#ask(this.#connection)
  }

  down(error: unknown): void {
    if (this.#phase === 'closed') return
    this.#connection += 1
    this.#phase = 'connecting'
    this.#holdAll()
    this.#tellReadiness(error)
  }

  interrupted(): void {
    this.#writer.acknowledged.interrupted()
  }

  event(topic: string, event: LoggedEvent): void {
    if (this.#past.has(event.epoch)) {
      this.#lookSoon()
      this.foreign(new EventStreamError('ERR_BROKER', `an event of ${topic} belongs to a past epoch of the log`))
      return
    }
    const mirror = this.#mirrors.get(topic)
    if (mirror?.isHeld === true) mirror.keep(event)
    else if (mirror !== undefined) this.#accept(mirror, event)
  }

  renewed(): void {
    this.#doubt()
  }

  writable(isWritable: boolean, error?: unknown): void {
    this.#isWritable = isWritable
    this.#writeError = error
    this.#tellReadiness(error)
  }

  readable(isReadable: boolean, error?: unknown): void {
    this.#isReadable = isReadable
    this.#readError = error
    this.#tellReadiness(error)
  }

  foreign(error: unknown): void {
    this.#parts.listener.fault('redis message', error)
  }

  // Delivery.

  #accept(mirror: Mirror, event: LoggedEvent): void {
    if (event.epoch === this.#epoch && event.seq <= (mirror.last ?? 0)) return
    const here = this.#parts.clock.monotonic()
    if (event.epoch === this.#epoch && mirror.isNext(event, here)) {
      this.#handOn(mirror, event, here)
      if (Math.abs(event.at - this.#timeAt(here)) > STEP) this.#lookSoon()
      return
    }
    this.#doubt()
    mirror.keep(event)
  }

  #handOn(mirror: Mirror, event: LoggedEvent, here: number): void {
    mirror.append(event, here)
    // It may still be in transit on its other topics: a stream that starts here must not skip it.
    this.#seq = Math.max(this.#seq, event.isShared ? event.seq - 1 : event.seq)
    if (mirror.idleSince === undefined) this.#parts.listener.event([mirror.topic], event)
    mirror.passed(event.seq)
  }

  /** Resolves when this instance has delivered an event it published, or holds it. Bounded by a timeout. */
  async #handedOn(topics: readonly string[], seq: number): Promise<void> {
    const waits = topics.flatMap(topic => this.#mirrors.get(topic)?.handedOn(seq) ?? [])
    // It is in history in any case: local streams will get it by catch-up.
    if (waits.length > 0) await this.#inTime(Promise.all(waits)).catch(() => undefined)
  }

  // Catch-up.

  #addMirror(topic: string): Mirror {
    const mirror = this.#mirrors.add(topic)
    this.#unasked.add(mirror)
    this.#sweepWithin(mirror.age / 4)
    // Topics subscribed to in this turn share one read.
    queueMicrotask(() => {
      this.#askAside()
    })
    return mirror
  }

  /** Events may be missing: holds everything and catches up. */
  #doubt(): void {
    if (this.#phase === 'live') this.#phase = 'holding'
    this.#holdAll()
    this.#askAside()
  }

  #holdAll(): void {
    this.#doubts += 1
    const heard = { seq: this.#seq, at: this.#looked.log }
    for (const mirror of this.#mirrors) {
      mirror.hold(heard)
      this.#unasked.add(mirror)
    }
  }

  #askAside(): void {
    if (this.#isAsking || this.#phase === 'connecting' || this.#phase === 'closed') return
    this.#ask(this.#connection).catch((error: unknown) => {
      this.#engine.lose(error)
    })
  }

  /** Catches up until nothing is held, or the connection has changed. Throws if the connection is unusable. */
  #ask(connection: number): Promise<void> {
    if (!CATCH_UP.hasSubscribers || this.#phase === 'live') return this.#askAll(connection)
    const message: CatchUpMessage = { hub: this.#parts.listener, topics: this.#mirrors.size }
    return CATCH_UP.tracePromise(() => this.#askAll(connection), message)
  }

  async #askAll(connection: number): Promise<void> {
    this.#isAsking = true
    try {
      while (this.#connection === connection && (this.#phase !== 'live' || this.#unasked.size > 0)) {
        await this.#askOnce(connection)
      }
    } catch (error) {
      if (this.#connection === connection) throw error
    } finally {
      if (this.#connection === connection) this.#isAsking = false
    }
  }

  async #askOnce(connection: number): Promise<void> {
    const doubts = this.#doubts
    const isWhole = this.#phase !== 'live'
    const batch = [...this.#unasked]
    this.#unasked.clear()
    try {
      await this.#listenTo(batch, connection)
      const own = isWhole ? this.#writer.acknowledged.all() : undefined
      const known = { ...this.position, acknowledged: own?.events ?? [], clock: this.#parts.clock }
      const answer = await catchUp(this.#engine, batch, known)
      // Everything sent before the log's reply must have arrived.
      await this.#engine.fence()
      for (const epoch of answer.epochs) if (epoch !== answer.state.epoch) this.#past.add(epoch)
      // New doubts are handled in the next round.
      if (doubts !== this.#doubts) return
      if (answer.outcome === 'complete' && batch.every(mirror => isOfEpoch(mirror, answer.state.epoch))) {
        own?.settle()
        this.#goOn(batch, answer.state)
        return
      }
      if (isWhole && answer.outcome === 'renewed') this.#beginAnew(answer.state)
      else if (isWhole && answer.outcome === 'behind') await this.#renew(answer.state)
      if (this.#connection === connection) this.#doubt()
    } catch (error) {
      for (const mirror of batch) if (mirror.isHeld) this.#unasked.add(mirror)
      throw error
    }
  }

  async #listenTo(batch: readonly Mirror[], connection: number): Promise<void> {
    const mirrors = batch.filter(({ isListenedTo }) => !isListenedTo)
    if (mirrors.length === 0) return
    await this.#engine.listen(mirrors.map(({ topic }) => topic))
    if (this.#connection === connection) for (const mirror of mirrors) mirror.isListenedTo = true
  }

  async #renew({ epoch }: LogState): Promise<void> {
    await this.#engine.renew({ epoch, seq: Math.max(this.#seq, this.#writer.acknowledged.seq) })
  }

  // All missed events are here: delivers them in the order of the log; live events follow.
  #goOn(batch: readonly Mirror[], { epoch, seq, base, now }: LogState): void {
    this.#epoch = epoch
    this.#base = base
    this.#noteTime(now)
    const lost = batch.filter(({ hasLost }) => hasLost)
    for (const mirror of lost) mirror.hasLost = false
    if (lost.length > 0)
      this.#parts.listener.gap(
        lost.map(({ topic }) => topic),
        'trimmed',
      )
    const missed = batch.flatMap(mirror => mirror.takeMissed().map(event => ({ mirror, event })))
    missed.sort((a, b) => a.event.seq - b.event.seq)
    for (const { mirror, event } of missed) this.#handOn(mirror, event, this.#looked.here)
    this.#seq = Math.max(this.#seq, seq)
    this.#phase = 'live'
    for (const mirror of batch) mirror.goLive()
    this.#tellReadiness()
  }

  // The log has another epoch. Every topic restarts where that began; streams are notified. It may be an earlier epoch,
  // if a failover lost the renewal, or a backup was restored: topics then continue after its last event delivered here,
  // or from its end if nothing is known of it.
  #beginAnew({ epoch, base, seq }: LogState): void {
    const end = this.#past.take(epoch)
    const isLater = end === undefined && base >= this.#base
    const start = isLater ? base : Math.max(base, end ?? seq)
    this.#past.add(this.#epoch, Math.max(this.#seq, this.#mirrors.end))
    this.#epoch = epoch
    this.#base = base
    this.#seq = start
    for (const mirror of this.#mirrors) {
      mirror.begin(start, isLater)
      mirror.hasLost = false
    }
    this.#parts.listener.gap(this.#mirrors.topics, 'epoch')
  }

  // Reads of the log's end.

  // A client from another instance may have seen events that have not arrived here, or another epoch.
  #isAhead(since: number, epoch = this.#epoch): boolean {
    if (epoch !== this.#epoch) return !this.#past.has(epoch)
    return since !== Infinity && since > this.#seq
  }

  async #catchUpWith(topics: readonly string[], since: number, epoch?: string): Promise<void> {
    const seen = await this.look()
    await this.#inTime(this.#liveOf(topics))
    if (seen.epoch === this.#epoch) this.#seq = Math.max(this.#seq, seen.seq)
    // A log that accepts no events may be a lagging copy: the client may have seen more than it has.
    if (!this.#isWritable && this.#isAhead(since, epoch)) {
      throw new EventStreamError('ERR_BROKER', 'the log is read-only, and may lag behind the client')
    }
  }

  #liveOf(topics: readonly string[]): Promise<unknown> {
    return Promise.all(topics.flatMap(topic => this.#mirrors.get(topic)?.live ?? []))
  }

  async #look(): Promise<LogState> {
    const { state } = await this.#engine.read([])
    await this.#engine.fence()
    return state
  }

  // Events of a past epoch come from another log on the same channels, or the log was restored from a backup.
  #lookSoon(): void {
    this.#stopDoubting ??= this.#parts.clock.after(DOUBT, () => {
      this.#stopDoubting = undefined
      // If it fails, the next such event triggers another look.
      this.look().catch(() => undefined)
    })
  }

  // Time.

  /** The log's estimated clock, by which events age. */
  get #now(): number {
    return this.#timeAt(this.#parts.clock.monotonic())
  }

  #timeAt(here: number): number {
    return this.#looked.log + (here - this.#looked.here)
  }

  #noteTime(log: number): void {
    this.#looked = { log, here: this.#parts.clock.monotonic() }
  }

  // Topics with a short history age need more frequent sweeps.
  #sweepWithin(ms: number): void {
    const { clock } = this.#parts
    const pause = Math.max(SHORTEST_SWEEP, ms)
    if (this.#phase === 'closed' || clock.monotonic() + pause >= this.#sweepAt) return
    this.#stopSweeping?.()
    this.#sweepAt = clock.monotonic() + pause
    this.#stopSweeping = clock.after(pause, () => {
      this.#sweepAt = Infinity
      this.#sweep()
      this.#sweepWithin(Math.min(LINGER / 2, this.#mirrors.shortestAge / 4))
    })
  }

  #sweep(): void {
    const { clock } = this.#parts
    const now = clock.monotonic()
    const idle = this.#mirrors.takeIdle(now)
    for (const mirror of idle) this.#unasked.delete(mirror)
    if (idle.length > 0) this.#engine.unlisten(idle.map(({ topic }) => topic))
    if (this.#phase !== 'live' || this.#mirrors.size === 0) return
    this.#mirrors.expire(this.#now)
    // The log forgets the last event of a long silent topic. To know that nothing is missing before the next one, the
    // log's end must have been read since. If the read fails, the next event triggers a catch-up.
    if (now - this.#looked.here >= this.#engine.memory / 4) this.look().catch(() => undefined)
  }

  #tellReadiness(error: unknown = this.#writeError ?? this.#readError): void {
    const isUp = this.#phase === 'live' || this.#phase === 'holding'
    const ready = isUp && this.#isWritable && this.#isReadable
    // No need to report that it is about to be ready.
    if (this.#phase === 'asking' || ready === this.#ready) return
    this.#ready = ready
    this.#parts.listener.readiness(ready, error)
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock, timeout } = this.#parts
    return within(clock, timeout, work, () => new EventStreamError('ERR_BROKER', 'the log did not respond in time'))
  }
}

/** Whether all events that have arrived since the read have its epoch. */
function isOfEpoch(mirror: Mirror, epoch: string): boolean {
  return mirror.arrivedEpochs.every(other => other === epoch)
}
