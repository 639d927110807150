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

/** What a feed needs of the hub. */
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
 * What a stream gets of the log. Its place there is a cursor a topic; how it gets from there to the next place is a
 * strategy: live, replaying, skipping or conflating what a slow client has missed, or sending its state anew. While topics
 * are being added nothing of the log is sent, so that all topics go on together and ids rise.
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
  // What the client of a stream that has been opened without topics has seen: its first ones may be added later.
  #cursor: Cursor
  // How many additions of topics are under way.
  #joins = 0
  // Whether the client is still to be told that it has caught up for the first time.
  #owesCursor = true
  // The last id that the stream has sent: the next one must be greater.
  #sentSeq = -1
  #snapshots: Map<string, Snapshot> | undefined
  // While the client is being brought up to date, and somebody wants to hear of it.
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

  /** The id that the client has of the log, as far as it was written; `undefined` where it has none yet. */
  get lastId(): string | undefined {
    return this.#sentSeq === -1 ? undefined : formatPosition(this.broker.position().epoch, this.#sentSeq)
  }

  /**
   * Brings the stream to where it is live: what the client has missed, then its cursor. Of topics that were added before
   * it gets what was published since the resolver was called.
   *
   * @param since when the client asked for it, by the monotonic clock
   * @returns nothing where that is at once, or a promise that resolves once the topics are there
   * @throws what the broker throws, at once or as a rejection
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
      throw new EventStreamError('ERR_BROKER', 'nobody could tell where the log stood when `subscribe` was called')
    }
    this.#report = ReplayReport.begin(cursor === undefined ? 'newcomer' : 'resumed', since)
    return this.#join(starts, () => ({ cursor, position: place.position }))
  }

  /**
   * Adds topics that it does not have. Of a feed that has not been started they are only noted.
   *
   * @param seen up to where the client has seen them already: of what came after that it is told a gap
   * @returns once they are live
   * @throws what the broker throws
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
    // Some may have been asked for a moment ago, and not be live yet either.
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

  // What the fan-out asks.

  awaits(seq: number, topic: string): boolean {
    if (!this.#strategy.isLive || this.#joins > 0) return false
    return this.cursors.isBefore(seq, topic) && (this.due === undefined || seq > this.due.event.seq)
  }

  /** @param turn that of the fan-out, which serves all; left out where something comes behind what is due to this one alone */
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
    if (reason === 'epoch') this.#beginAnew(topics)
    // A feed that is not live finds in history what is missing.
    else if (this.#strategy.isLive && this.#joins === 0) {
      for (const topic of topics) this.cursors.advance(topic, this.broker.read(topic, 0, 0).start)
      this.tellGap({ topics, reason })
    }
  }

  /** The client has taken everything that was written. */
  emptied(): void {
    if (this.#joins === 0) this.#strategy.goOn()
  }

  // What the strategies ask.

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

  // Where the client has that id already it needs no other.
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

  // What is published to topics that this instance listens to is known from where it has been seen.
  #isHeard(starts: readonly TopicStart[]): boolean {
    return starts.every(({ topic }) => this.#hub.registry.has(topic))
  }

  #become(strategy: Strategy): void {
    const before = this.#strategy
    this.#strategy = strategy
    before.stop()
  }

  // Leaves what comes from now on in history, and goes on once the client has taken what waits.
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

  // A client that had kept up when this turn of the event loop began is not slow: history has the rest.
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
    // What is due is not sent yet, and would be read from history as well.
    this.flush()
    for (const { topic } of starts) this.cursors.add(topic)
    // Some may be taken away while the broker is asked.
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

  /** Has the broker listen to topics, and what is wanted of their history within reach. Answers where they begin. */
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
      // All have been taken away meanwhile: nothing has been gone on from.
      this.#cursor ??= cursor
      this.goLive()
      return
    }
    // It has been gone on from: from now on the stream has a place of its own.
    if (cursor !== undefined) this.#cursor = undefined
    const now = this.broker.position()
    const lost = whyLost(origin, now)
    if (lost !== undefined) {
      // What the resolver has sent is as old as its call.
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

  // The ids of the new life of the log have nothing to do with those before.
  #beginAnew(topics: readonly string[]): void {
    // A feed that is only just starting compares its cursor with the new life.
    if (this.#strategy === IDLE) return
    this.#sentSeq = -1
    this.cursors.restart(this.broker.position().seq)
    if (this.tellGap({ topics, reason: 'epoch' })) return
    this.tellCursor()
    if (this.#joins > 0) this.#become(LIVE)
    else this.goLive()
  }

  // Makes the state of those of the topics anew that have one, and answers whether there are any.
  #sendState(topics: readonly string[]): boolean {
    const snapshots = new Map<string, Snapshot>()
    for (const topic of topics) {
      const snapshot = this.#snapshots?.get(topic)
      if (snapshot !== undefined) snapshots.set(topic, snapshot)
    }
    if (snapshots.size === 0) return false
    const strategy = new Snapshotting(this, snapshots, {
      // State has no id: without a cursor a client that comes back would be sent all of it again.
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

  // An event may have come by a topic that has been taken away, and stand in the history of another as well.
  #isGranted({ event, topics }: LogFrame): boolean {
    if (topics.some(topic => this.cursors.has(topic))) return true
    return this.topics.some(topic => this.broker.read(topic, event.seq - 1, 1).events[0]?.seq === event.seq)
  }
}

// What the stream's topics bring, not what the library says.
function isOfTopics(item: Item): boolean {
  return !(item instanceof Uint8Array) && (isOfLog(item) || isOfState(item))
}

function isOfLog(frame: Frame): frame is LogFrame {
  return 'event' in frame
}
