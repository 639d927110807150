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

// How long events of an epoch that is over may come before the log is looked at, in milliseconds.
const DOUBT = 500

// By how many milliseconds a live event may seem to come from another time before the log's clock is looked at.
const STEP = 5_000

// Milliseconds between two looks at what is too old or not needed any more, at least.
const SHORTEST_SWEEP = 100

/** What a replica tells: the part of an engine's listener that is about the log. */
export type ReplicaListener = Pick<BrokerListener, 'event' | 'gap' | 'readiness' | 'fault'>

export interface ReplicaParts {
  readonly engine: LogEngine
  readonly policy: HistoryPolicy
  readonly clock: Clock
  readonly listener: ReplicaListener
  /** Milliseconds until a subscription or a question that is not answered is given up. */
  readonly timeout: number
  /** How many events of this instance may be on their way at once. */
  readonly maxPending: number
}

/**
 * - `connecting`: there is no connection to the log. Anything may be missed.
 * - `asking`: there is one, and the log is asked what was missed.
 * - `live`: events are handed on as they come.
 * - `holding`: something may be missing though the connection holds, such as a hole in a topic's chain of predecessors.
 *   The log is asked as before, and the replica still counts as ready: it is a matter of moments.
 * - `closed`
 */
type Phase = 'connecting' | 'asking' | 'live' | 'holding' | 'closed'

/**
 * This instance's copy of a remote log, of the topics that its streams have.
 *
 *     connecting ── up ──▶ asking ── all is in order ──▶ live ── doubt ──▶ holding ── all is in order ──▶ live
 *          ▲                 └───────────┐                └─────────────────┐ │
 *          └──────────────────────────── down ────────────────────────────────┘
 *
 * Events are handed on in the order of the log. While it is not live all topics are held: what comes is kept aside, the
 * log is asked for what came before, and only when all of it has been put in order do they go on. A new topic is held
 * alone while the others are live.
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
  // When the next sweep is due, by the monotonic clock.
  #sweepAt = Infinity
  #phase: Phase = 'connecting'
  // Mirrors that are held, and of which it has not been asked yet what they miss.
  readonly #unasked = new Set<Mirror>()
  // Counts connections, and moments since which something may be missing: answers from before one are of no use.
  #connection = 0
  #doubts = 0
  #isAsking = false
  #epoch = ''
  #seq = 0
  #base = 0
  // When it was last known how far the log had come: by the log's own time, and by the monotonic clock.
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

  /** What the log's clock says, as it was last seen: less than half of a round trip late. */
  get time(): number {
    return this.#now
  }

  /** Everything up to here, on the topics that are live, has been handed on. */
  get position(): Position {
    return { epoch: this.#epoch, seq: this.#seq }
  }

  // What the hub asks.

  async publish(event: Outgoing): Promise<Position> {
    const { epoch, seq, isRepeat } = await this.#writer.publish(event)
    // The first one may have had other topics. What is in the log by now has been handed on once it has been looked at.
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

  /** Catches up if a client is ahead of us, and fetches the history of topics of which not enough is here. */
  async load(topics: readonly string[], since: number, epoch?: string): Promise<void> {
    // What is still to come is part of a topic's latest events. If it does not come, there is what is here.
    if (this.#phase === 'holding') await this.#inTime(this.#liveOf(topics)).catch(() => undefined)
    if (this.#isAhead(since, epoch)) await this.#catchUpWith(topics, since, epoch)
    const lacking = topics.flatMap(topic => this.#mirrors.get(topic) ?? []).filter(mirror => mirror.lacks(since))
    await Promise.all(lacking.map(mirror => this.#loader.load(mirror, this.#epoch)))
  }

  /** Asks where the log stands. What was published up to there has been handed on, or is held. */
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
    const error = new EventStreamError('ERR_BROKER', 'the broker has been closed')
    for (const mirror of this.#mirrors) mirror.fail(error)
  }

  // What the engine tells.

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
      this.foreign(new EventStreamError('ERR_BROKER', `an event of ${topic} is of a life of the log that is over`))
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

  // Handing on.

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
    // Of its other topics it may be still to come: a stream that starts here must not take it for had.
    this.#seq = Math.max(this.#seq, event.isShared ? event.seq - 1 : event.seq)
    if (mirror.idleSince === undefined) this.#parts.listener.event([mirror.topic], event)
    mirror.passed(event.seq)
  }

  /** Resolves when this instance has handed an event on that it has published, or holds it. Does not wait for ever. */
  async #handedOn(topics: readonly string[], seq: number): Promise<void> {
    const waits = topics.flatMap(topic => this.#mirrors.get(topic)?.handedOn(seq) ?? [])
    // It is in history all the same: whoever listens here is told by the connection's own means.
    if (waits.length > 0) await this.#inTime(Promise.all(waits)).catch(() => undefined)
  }

  // Asking.

  #addMirror(topic: string): Mirror {
    const mirror = this.#mirrors.add(topic)
    this.#unasked.add(mirror)
    this.#sweepWithin(mirror.age / 4)
    // All topics that are wanted in this turn are asked about in one go.
    queueMicrotask(() => {
      this.#askAside()
    })
    return mirror
  }

  /** Something may be missing: holds everything and asks. */
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

  /** Asks until nothing is held any more, or the connection is another one. Throws if the connection cannot be used. */
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
      // What was handed out before the log answered must have arrived.
      await this.#engine.fence()
      for (const epoch of answer.epochs) if (epoch !== answer.state.epoch) this.#past.add(epoch)
      // What has come up meanwhile is asked about next.
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

  // Everything that was missed is here: it is handed on in the order of the log, and what comes now follows it.
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

  // The log has begun a new life. Every topic starts over where that began; streams are told. It may be an earlier one, since
  // a fail-over has lost a renewal, or a copy was restored: then they go on behind what was handed on of it here, or from where it
  // stands if nothing is known of it.
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

  // Looking.

  // A client that comes from another instance may have seen what has not arrived here, or another life of the log.
  #isAhead(since: number, epoch = this.#epoch): boolean {
    if (epoch !== this.#epoch) return !this.#past.has(epoch)
    return since !== Infinity && since > this.#seq
  }

  async #catchUpWith(topics: readonly string[], since: number, epoch?: string): Promise<void> {
    const seen = await this.look()
    await this.#inTime(this.#liveOf(topics))
    if (seen.epoch === this.#epoch) this.#seq = Math.max(this.#seq, seen.seq)
    // What takes no events may be a copy of the log that is behind: there the client has been where the log is not yet.
    if (!this.#isWritable && this.#isAhead(since, epoch)) {
      throw new EventStreamError('ERR_BROKER', 'the log takes no events, and may be behind what the client has seen')
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

  // Events of an epoch that is over come from another log on the same channels, or this one was restored from a copy.
  #lookSoon(): void {
    this.#stopDoubting ??= this.#parts.clock.after(DOUBT, () => {
      this.#stopDoubting = undefined
      // If it fails, the next event is doubted again.
      this.look().catch(() => undefined)
    })
  }

  // Time.

  /** What the log's clock says, by which events age. */
  get #now(): number {
    return this.#timeAt(this.#parts.clock.monotonic())
  }

  #timeAt(here: number): number {
    return this.#looked.log + (here - this.#looked.here)
  }

  #noteTime(log: number): void {
    this.#looked = { log, here: this.#parts.clock.monotonic() }
  }

  // What a topic with a short age has must be looked at more often.
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
    // The log forgets the last event of a topic that was silent for long. That nothing is missing before the next one is
    // known here if it is known that the log had come further by then. If it cannot be asked, the next event is doubted.
    if (now - this.#looked.here >= this.#engine.memory / 4) this.look().catch(() => undefined)
  }

  #tellReadiness(error: unknown = this.#writeError ?? this.#readError): void {
    const isUp = this.#phase === 'live' || this.#phase === 'holding'
    const ready = isUp && this.#isWritable && this.#isReadable
    // That it is about to be there is no news.
    if (this.#phase === 'asking' || ready === this.#ready) return
    this.#ready = ready
    this.#parts.listener.readiness(ready, error)
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock, timeout } = this.#parts
    return within(clock, timeout, work, () => new EventStreamError('ERR_BROKER', 'the log did not answer in time'))
  }
}

/** Whether all that has come since the log was asked is of the life that it told of. */
function isOfEpoch(mirror: Mirror, epoch: string): boolean {
  return mirror.arrivedEpochs.every(other => other === epoch)
}
