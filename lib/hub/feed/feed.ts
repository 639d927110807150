import type { Broker } from '../../broker/broker.ts'
import type { Identity } from '../../auth/identity.ts'
import type { Clock } from '../../clock.ts'
import { SENT, type SentMessage } from '../../diagnostics.ts'
import { EventStreamError } from '../../errors.ts'
import type { EventStream } from '../../stream/event-stream.ts'
import type { StreamNews } from '../../stream/stream-host.ts'
import type { Frame, Item } from '../../stream/write-queue.ts'
import { formatPosition, type Cursor } from '../../wire/cursor.ts'
import type { EventMap } from '../../wire/event.ts'
import { encodeCursor, encodeGap, type Gap, type GapReason } from '../../wire/frame.ts'
import type { Turn } from '../../stream/writer.ts'
import type { Deliveries } from '../deliveries.ts'
import type { Batch, FanOut } from '../fan-out.ts'
import type { StreamInfo } from '../lifecycle.ts'
import { ENDLESS } from '../poll.ts'
import { attempt, proceed } from '../proceed.ts'
import type { Member, Registry } from '../registry.ts'
import type { StreamPolicy } from '../stream-policy.ts'
import { Conflating } from './conflating.ts'
import { TopicCursors } from './cursors.ts'
import type { LogFrame } from './page.ts'
import {
  missedOf,
  oldestOfInterest,
  plainStart,
  startOf,
  whyLost,
  type Origin,
  type Standing,
  type TopicStart,
} from './origin.ts'
import { ReplayReport } from './replay-report.ts'
import { Replaying } from './replaying.ts'
import { Skipping } from './skipping.ts'
import { isOfState, Snapshotting, type Snapshot } from './snapshotting.ts'
import { IDLE, LIVE, type FeedAccess, type Strategy } from './strategy.ts'

/** What this needs of the hub. */
export interface FeedHub {
  readonly broker: Broker
  readonly registry: Registry
  readonly clock: Clock
  readonly fanOut: Pick<FanOut, 'turn' | 'wrote'>
  readonly deliveries: Pick<Deliveries, 'replayed'>
  told(stream: StreamInfo, gap: Gap): void
  failed(during: string, error: unknown, stream: StreamInfo): void
}

/**
 * Delivers the log to a stream. Its position is a cursor per topic; its strategy determines how it advances: live,
 * replaying, skipping or conflating what a slow client has missed, or sending a snapshot. While topics are being added
 * no events are sent, so that all topics continue together and ids increase.
 *
 * It is one long file because it is one state machine: joins, gaps, overflow and new epochs all switch the strategy and
 * move the same cursors, so their transitions have to be read together. What each state does is in its strategy's file.
 */
export class Feed implements Member, FeedAccess {
  due: Batch | undefined
  readonly cursors = new TopicCursors()

  readonly #hub: FeedHub
  readonly #stream: EventStream<EventMap, Identity | undefined>
  readonly #policy: StreamPolicy
  readonly #news: StreamNews
  #strategy: Strategy = IDLE
  #hasStarted = false
  // The client's cursor if the stream was opened without topics, for the first topics added later.
  #cursor: Cursor
  // The number of additions of topics in progress.
  #joins = 0
  // Whether the client has not been sent its first cursor yet.
  #owesCursor = true
  // The last id sent: the next one must be greater.
  #sentSeq = -1
  #snapshots: Map<string, Snapshot> | undefined
  // Set during a replay if the diagnostics channel has subscribers.
  #report: ReplayReport | undefined

  constructor(
    hub: FeedHub,
    stream: EventStream<EventMap, Identity | undefined>,
    policy: StreamPolicy,
    news: StreamNews = ENDLESS,
  ) {
    this.#hub = hub
    this.#stream = stream
    this.#policy = policy
    this.#news = news
  }

  get broker(): Broker {
    return this.#hub.broker
  }

  get clock(): Clock {
    return this.#hub.clock
  }

  get topics(): readonly string[] {
    return this.cursors.topics
  }

  get holder(): string | undefined {
    return this.#stream.identity?.id
  }

  /** The last id written to the client; `undefined` if there is none yet. */
  get lastId(): string | undefined {
    return this.#sentSeq === -1 ? undefined : formatPosition(this.broker.position().epoch, this.#sentSeq)
  }

  /**
   * Starts the stream: sends the events the client has missed, then a cursor, then goes live. Topics added by the
   * resolver itself start where the log was when the resolver was called.
   *
   * @param since when the request arrived, by the monotonic clock
   * @returns nothing if the topics are joined synchronously, or a promise that resolves once they are
   * @throws what the broker throws, synchronously or as a rejection
   */
  start(requests: readonly TopicStart[], cursor: Cursor, place: Standing, since: number): void | Promise<void> {
    if (this.#isStopped) return
    this.#hasStarted = true
    const added = this.topics.filter(topic => requests.every(request => request.topic !== topic))
    const starts = [...requests, ...added.map(plainStart)]
    if (starts.length === 0) {
      this.#cursor = cursor
      this.#strategy = LIVE
      return
    }
    if (!place.isKnown && (place.position.epoch === '' || !this.#isHeard(starts))) {
      throw new EventStreamError('ERR_BROKER', 'the end of the log was unknown when `subscribe` was called')
    }
    this.#report = ReplayReport.begin(cursor === undefined ? 'newcomer' : 'resumed', since)
    return this.#join(starts, () => ({ cursor, position: place.position }))
  }

  /**
   * Adds topics that the stream does not have. Before `start` they are only recorded.
   *
   * @param seen the client's cursor for these topics: events after it cause a gap
   * @returns once they are live
   * @throws what the broker throws, as a rejection
   */
  async add(topics: readonly string[], seen?: Cursor): Promise<void> {
    const added = topics.filter(topic => !this.cursors.has(topic))
    const cursor = this.topics.length === 0 ? this.#cursor : undefined
    if (!this.#hasStarted) {
      for (const topic of added) this.cursors.add(topic)
      return
    }
    if (added.length > 0) {
      await this.#join(added.map(plainStart), async () => ({ cursor, position: await this.broker.look(), seen }))
    }
    // Topics added by an earlier call may not be live yet.
    await this.#hub.registry.confirmed(topics)
  }

  remove(topics: readonly string[]): void {
    const removed = topics.filter(topic => this.cursors.has(topic))
    if (removed.length === 0) return
    for (const topic of removed) {
      this.cursors.delete(topic)
      this.#snapshots?.delete(topic)
    }
    if (!this.#hasStarted) return
    this.#hub.registry.leave(this, removed)
    const isKept = (frame: Frame): boolean =>
      isOfLog(frame) ? this.#isGranted(frame) : !isOfState(frame) || this.cursors.has(frame.topic)
    this.due = this.due?.retain(isKept)
    this.#strategy.retain(isKept)
    this.#stream.writer.retain(isKept)
  }

  stop(): void {
    if (this.#hasStarted) this.#hub.registry.leave(this, this.topics)
    this.#hasStarted = true
    this.due = undefined
    this.#report = undefined
    this.#become(IDLE)
  }

  // Receiver: called by the fan-out.

  awaits(seq: number, topic: string): boolean {
    if (!this.#strategy.isLive || this.#joins > 0) return false
    return this.cursors.isBefore(seq, topic) && (this.due === undefined || seq > this.due.event.seq)
  }

  /**
   * @param turn the turn of the fan-out when it flushes all streams; omitted when this stream alone is flushed early
   */
  flush(turn?: Turn): void {
    const { due } = this
    if (due === undefined) return
    this.due = undefined
    const now = turn ?? this.#hub.fanOut.turn
    if (this.#stream.writer.deliver(due, this.#policy.bufferBytes, now, turn === undefined)) {
      this.sent(due.event.seq)
      this.#hub.fanOut.wrote(due)
      if (SENT.hasSubscribers) this.#tellSent(due.frames())
      this.#news.carried()
    } else this.#overflow(now)
  }

  tell(topics: readonly string[], reason: GapReason): void {
    this.flush()
    if (reason === 'epoch') this.#restart(topics)
    // A feed that is not live notices the loss when it reads history.
    else if (this.#strategy.isLive && this.#joins === 0) {
      for (const topic of topics) this.cursors.advance(topic, this.broker.read(topic, 0, 0).start)
      this.tellGap({ topics, reason })
    }
  }

  /** The client has read everything that was written. */
  emptied(): void {
    if (this.#joins === 0) this.#strategy.goOn()
  }

  // FeedAccess: called by the strategies.

  get isJoining(): boolean {
    return this.#joins > 0
  }

  isCurrent(strategy: Strategy): boolean {
    return this.#strategy === strategy
  }

  write(items: readonly Item[]): void {
    this.#stream.writer.writeHistory(items)
    this.#count(items)
    if (items.some(isOfTopics)) this.#news.carried()
  }

  sent(seq: number): void {
    this.cursors.moveTo(seq)
    this.#sentSeq = seq
  }

  awaitTaken(): void {
    this.#stream.writer.callBack()
  }

  tellGap(gap: Gap): boolean {
    this.write([encodeGap(gap)])
    this.#report?.lost()
    this.#news.carried()
    this.#hub.told(this.#stream, gap)
    return this.#isStopped || this.#sendState(gap.topics)
  }

  // Without an id if the client already has it.
  tellCursor(): void {
    const { epoch, seq } = this.broker.position()
    const id = seq > this.#sentSeq ? formatPosition(epoch, seq) : undefined
    const heartbeat = this.#policy.heartbeat?.interval ?? null
    this.#owesCursor = false
    this.write([encodeCursor(id, { stream: this.#stream.id, heartbeat })])
    this.cursors.moveTo(seq)
    if (id !== undefined) this.#sentSeq = seq
    this.#news.caughtUp()
  }

  goLive(): void {
    this.#become(LIVE)
    this.#stream.writer.releaseBehindHistory()
    this.#report?.tell(this.#hub, this.#stream, this.clock)
    this.#report = undefined
  }

  get #isStopped(): boolean {
    return this.#stream.closeReason !== undefined
  }

  // Whether this instance is subscribed to all of the topics, and so has received every event since its known position.
  #isHeard(starts: readonly TopicStart[]): boolean {
    return starts.every(({ topic }) => this.#hub.registry.has(topic))
  }

  #become(strategy: Strategy): void {
    const before = this.#strategy
    this.#strategy = strategy
    before.stop()
  }

  // Stops live delivery and continues with the strategy once the client has read what is buffered.
  #readBy(strategy: Strategy): void {
    this.#become(strategy)
    this.#stream.writer.holdBehindHistory()
    this.#goOn()
  }

  #goOn(): void {
    if (this.#joins > 0 || this.#isStopped) return
    if (this.#strategy === LIVE) this.#readBy(this.#replaying())
    else if (this.#stream.writer.isIdle) this.#strategy.goOn()
    else this.#stream.writer.callBack()
  }

  #replaying(): Replaying {
    return new Replaying(this, this.#owesCursor)
  }

  // A client that had kept up at the start of this turn of the event loop is not slow: it gets the rest from history.
  #overflow(turn: Turn): void {
    const { overflow } = this.#policy
    if (this.#stream.writer.keptUpIn === turn) this.#readBy(this.#replaying())
    else if (overflow.kind === 'disconnect') this.#stream.abandon('slow')
    else if (overflow.kind === 'drop') this.#fallBehind(new Skipping(this))
    else {
      const failed = (error: unknown): void => {
        this.#hub.failed('buffer.key', error, this.#stream)
      }
      this.#fallBehind(new Conflating(this, overflow.keys, failed))
    }
  }

  #fallBehind(strategy: Strategy): void {
    this.#report ??= ReplayReport.begin('behind', this.clock.monotonic())
    this.#readBy(strategy)
  }

  #count(items: readonly Item[]): void {
    const events = items.filter(item => !(item instanceof Uint8Array) && isOfLog(item)) as LogFrame[]
    this.#hub.deliveries.replayed(events)
    if (SENT.hasSubscribers && events.length > 0) this.#tellSent(events)
    if (this.#report !== undefined) this.#report.events += events.length
  }

  #tellSent(events: readonly LogFrame[]): void {
    const message: SentMessage = { hub: this.#hub, stream: this.#stream, events }
    SENT.publish(message)
  }

  #join(starts: readonly TopicStart[], findOrigin: () => Origin | Promise<Origin>): void | Promise<void> {
    // Otherwise due events would be read from history a second time.
    this.flush()
    for (const { topic } of starts) this.cursors.add(topic)
    // Topics may be removed while the broker is asked.
    const wanted = (): TopicStart[] => starts.filter(({ topic }) => this.cursors.has(topic))
    this.#joins += 1
    this.#stream.writer.holdBehindHistory()
    return attempt(
      () => this.#load(wanted, findOrigin),
      origin => {
        this.#joins -= 1
        if (this.#isStopped) this.#hub.registry.leave(this, this.topics)
        else this.#begin(wanted(), origin)
      },
      error => {
        this.#joins -= 1
        this.remove(starts.map(({ topic }) => topic))
        this.#goOn()
        throw error
      },
    )
  }

  /** Subscribes the broker to the topics and loads the required history. Returns where they start from. */
  #load(wanted: () => TopicStart[], findOrigin: () => Origin | Promise<Origin>): Origin | Promise<Origin> {
    const { registry, broker } = this.#hub
    return proceed(findOrigin(), origin => {
      const starts = wanted()
      const topics = starts.map(({ topic }) => topic)
      return proceed(registry.join(this, topics), () => {
        const { seq, epoch } = oldestOfInterest(origin, starts)
        return proceed(broker.load(topics, seq, epoch), () => origin)
      })
    })
  }

  #begin(starts: readonly TopicStart[], origin: Origin): void {
    for (const { topic, snapshot } of starts) {
      if (snapshot !== undefined) (this.#snapshots ??= new Map()).set(topic, snapshot)
    }
    const topics = starts.map(({ topic }) => topic)
    const { cursor, position } = origin
    if (this.topics.length === 0) {
      // All topics have been removed meanwhile: keep the cursor for later ones.
      this.#cursor ??= cursor
      this.goLive()
      return
    }
    // The cursor is used up: from now on the stream has its own position.
    if (cursor !== undefined) this.#cursor = undefined
    const now = this.broker.position()
    const lost = whyLost(origin, now)
    if (lost !== undefined) {
      // State sent by the resolver may lack events published since it was called.
      const since = typeof cursor === 'object' || position.epoch !== now.epoch ? now.seq : position.seq
      for (const topic of topics) this.cursors.advance(topic, since)
      if (this.tellGap({ topics, reason: lost })) return
    } else if (typeof cursor === 'object') this.sent(cursor.seq)
    else {
      for (const start of starts) this.cursors.advance(start.topic, startOf(start, position, this.broker))
      const missed = missedOf(topics, origin, this.broker)
      if (missed.length > 0 ? this.tellGap({ topics: missed, reason: 'trimmed' }) : this.#sendState(topics)) return
    }
    if (this.#strategy === IDLE) this.#readBy(this.#replaying())
    else this.#goOn()
  }

  // The log has a new epoch: its ids are unrelated to earlier ones.
  #restart(topics: readonly string[]): void {
    // A feed that is still starting will compare its cursor with the new epoch.
    if (this.#strategy === IDLE) return
    this.#sentSeq = -1
    this.cursors.restart(this.broker.position().seq)
    if (this.tellGap({ topics, reason: 'epoch' })) return
    this.tellCursor()
    if (this.#joins > 0) this.#become(LIVE)
    else this.goLive()
  }

  // Sends snapshots of those of the topics that have one. Returns whether there are any.
  #sendState(topics: readonly string[]): boolean {
    const snapshots = new Map<string, Snapshot>()
    for (const topic of topics) {
      const snapshot = this.#snapshots?.get(topic)
      if (snapshot !== undefined) snapshots.set(topic, snapshot)
    }
    if (snapshots.size === 0) return false
    const strategy = new Snapshotting(this, snapshots, {
      // State has no id: without a cursor the client would be sent all of it again when it reconnects.
      done: () => {
        this.#readBy(new Replaying(this, true))
      },
      failed: error => {
        this.#hub.failed('snapshot', error, this.#stream)
        this.#stream.finish('error')
      },
    })
    this.#become(strategy)
    this.#stream.writer.holdBehindHistory()
    strategy.goOn()
    return true
  }

  // An event that arrived by a removed topic may also have been published to a remaining one: history tells.
  #isGranted({ event, topics }: LogFrame): boolean {
    if (topics.some(topic => this.cursors.has(topic))) return true
    return this.topics.some(topic => this.broker.read(topic, event.seq - 1, 1).events[0]?.seq === event.seq)
  }
}

// Whether an item is an event or state of a topic, not a notice of this package.
function isOfTopics(item: Item): boolean {
  return !(item instanceof Uint8Array) && (isOfLog(item) || isOfState(item))
}

function isOfLog(frame: Frame): frame is LogFrame {
  return 'event' in frame
}
