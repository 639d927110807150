import { Buffer } from 'node:buffer'
import type { Revalidation } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { Clock } from '../clock.ts'
import { FIRST_BYTE, type FirstByteMessage } from '../diagnostics.ts'
import { EventStreamError } from '../errors.ts'
import { GzipSink } from '../compression/gzip-sink.ts'
import { Place } from '../compression/place.ts'
import { mayComeBack, type CloseReason } from '../stream/close-reason.ts'
import { EventStream } from '../stream/event-stream.ts'
import type { Sink } from '../stream/sink.ts'
import type { StreamHost } from '../stream/stream-host.ts'
import { checkReadTopic, isPresenceTopic, topicOfPresence } from '../topic.ts'
import { DONE_ID, parseCursor, type Cursor } from '../wire/cursor.ts'
import type { EventMap, Redact } from '../wire/event.ts'
import { encodeComment, encodeGoaway, encodeHeartbeat, encodeRetry } from '../wire/frame.ts'
import { jitteredRetry, MAX_RETRY } from '../wire/retry.ts'
import type { Backlog } from './backlog.ts'
import type { Deliveries } from './deliveries.ts'
import { Feed, type FeedHub } from './feed/feed.ts'
import type { Standing, TopicStart } from './feed/origin.ts'
import { OpeningTopics } from './opening-topics.ts'
import { Poll } from './poll.ts'
import type { Audience } from './presence/audience.ts'
import { Stay } from './presence/stay.ts'
import { proceed } from './proceed.ts'
import { StreamTimers, type StreamTimersHub } from './stream-timers.ts'
import type { StreamPolicy } from './stream-policy.ts'

/** What subscribers share: the parts of their hub. */
export interface SubscriberHub extends FeedHub, StreamTimersHub {
  readonly maxEventBytes: number
  readonly redact: Redact | undefined
  readonly backlog: Backlog
  readonly audience: Audience
  readonly deliveries: Deliveries
  closed(subscriber: Subscriber): void
}

/** Who asks for a stream, from where, and what they have seen. */
export interface SubscriberFields {
  readonly identity: Identity | undefined
  readonly revalidation: Revalidation | undefined
  readonly address: string
  /** When the request reached the middleware, by the monotonic clock. Default: now. */
  readonly arrivedAt?: number
  readonly lastEventId: string | undefined
  /** Whether the client may be an EventSource, which comes back by itself: its request is a GET. */
  readonly isEventSource: boolean
  /** Whether the stream ends with the first events that it brings. Default `false`. */
  readonly isPoll?: boolean
}

// What ends a stream at once: its client is told nothing.
const UNTOLD: ReadonlySet<CloseReason> = new Set(['client', 'slow', 'replaced', 'error'])

/** A stream's life in the hub: who holds it, what it gets of the log, and what it does as time goes by. */
export class Subscriber implements StreamHost {
  readonly stream: EventStream<EventMap, Identity | undefined>
  readonly address: string
  readonly policy: StreamPolicy
  /** By the monotonic clock. */
  readonly openedAt: number
  /** When the request reached the middleware, by the monotonic clock. */
  readonly arrivedAt: number
  /** Whether the resolver is still being asked: nobody reads the stream yet. */
  isOpening = true
  /** Which of the hub's streams it was when it was announced; `undefined` where it has not got as far. */
  order: number | undefined
  /** When the client is to come back after a drain, in milliseconds. */
  comeBackAfter: number | undefined
  /** Where its identity is present. */
  readonly stay: Stay

  readonly #hub: SubscriberHub
  readonly #isEventSource: boolean
  // Whether the stream ever had topics: an id of a source must not take the place of its cursor then.
  #hadTopics = false
  // Whether its resolver has answered a source.
  #isOfSource = false
  // What has become of topics while the resolver is being asked.
  #changed: OpeningTopics | undefined
  readonly #feed: Feed
  readonly #timers: StreamTimers
  readonly #poll: Poll | undefined
  #isPollOver = false
  #isCompressed = false

  constructor(hub: SubscriberHub, policy: StreamPolicy, fields: SubscriberFields) {
    const { identity, revalidation, address, lastEventId, isEventSource, isPoll = false } = fields
    this.#hub = hub
    this.policy = policy
    this.address = address
    this.openedAt = hub.clock.monotonic()
    this.arrivedAt = fields.arrivedAt ?? this.openedAt
    this.#isEventSource = isEventSource
    this.stream = new EventStream({ identity, lastEventId }, this)
    if (isPoll) {
      this.#poll = new Poll(hub.clock, lastEventId === undefined, () => {
        this.#isPollOver = true
        this.stream.finish('done')
      })
      this.stream.news = this.#poll
    }
    this.stay = new Stay(hub.audience, this)
    this.#feed = new Feed(hub, this.stream, policy, this.#poll)
    this.#timers = new StreamTimers(hub, this.stream, policy, revalidation)
  }

  get identity(): Identity | undefined {
    return this.stream.identity
  }

  get clock(): Clock {
    return this.#hub.clock
  }

  get topics(): readonly string[] {
    return this.#feed.topics
  }

  /** The id that the client is to come back with. */
  get lastId(): string | undefined {
    return this.#feed.lastId
  }

  /** Whether it was a long poll that has ended as those do, and not because somebody has closed it. */
  get isPollOver(): boolean {
    return this.#isPollOver && this.stream.closeReason === 'done'
  }

  get hasTopics(): boolean {
    return this.topics.length > 0
  }

  /** Whether it may be given topics from elsewhere: who reads a source alone would take what they bring for the source's. */
  get takesTopics(): boolean {
    return this.hasTopics || !(this.#isOfSource || this.stream.hasOwnIds)
  }

  get bufferBytes(): number {
    return this.policy.bufferBytes
  }

  get maxEventBytes(): number {
    return this.#hub.maxEventBytes
  }

  get redact(): Redact | undefined {
    return this.#hub.redact
  }

  /**
   * Brings the stream to life, with these topics and those that the resolver has added already.
   *
   * @param place where the log stood when the resolver was called
   * @param isOfSource whether the resolver has answered a source
   * @returns nothing where the subscription stands at once, or a promise that resolves once it does
   * @throws what the broker throws, at once or as a rejection
   */
  open(answered: readonly TopicStart[], place: Standing, isOfSource = false): void | Promise<void> {
    this.#isOfSource = isOfSource
    const requests = answered.length > 0 || this.takesTopics ? this.#standing(answered) : answered
    if (requests.length > 0) {
      this.#refuseOwnIds()
      this.#hadTopics = true
    }
    this.stay.plan(requests)
    this.isOpening = false
    const starting = this.#feed.start(requests, parseCursor(this.stream.lastEventId), place, this.arrivedAt)
    return proceed(starting, () => {
      this.#timers.start()
      this.#tellPresence(requests.filter(request => !answered.includes(request)).map(({ topic }) => topic))
    })
  }

  /** The login may have ended without anybody here having heard of it: it is asked again, or the stream ends. */
  verify(): void {
    if (this.identity !== undefined) this.#timers.verify()
  }

  /**
   * Has the stream compressed, where that is worth it. Answers whether it is: a source is nobody else's, and a poll is over
   * with its first events.
   */
  compress(): boolean {
    this.#isCompressed = this.policy.cohorts !== undefined && this.hasTopics && this.#poll === undefined
    return this.#isCompressed
  }

  encode(sink: Sink): Sink {
    const { cohorts } = this.policy
    return this.#isCompressed && cohorts !== undefined ? new GzipSink(sink, new Place(cohorts, this)) : sink
  }

  firstBytes(): Uint8Array {
    if (FIRST_BYTE.hasSubscribers) this.#tellFirstByte()
    if (!this.policy.isVisible) return this.#isEventSource ? encodeRetry(this.#retry()) : encodeComment('')
    const interval = this.policy.heartbeat?.interval ?? null
    if (!this.#isEventSource) return encodeHeartbeat(interval)
    const retry = this.#retry()
    return Buffer.concat([encodeRetry(retry), encodeHeartbeat(interval, retry)])
  }

  lastBlock(reason: CloseReason): Uint8Array | undefined {
    // The client comes back at once.
    if (this.#isPollOver || UNTOLD.has(reason) || this.#hasNoBlocksOfOurs) return undefined
    const retry = this.#isEventSource && mayComeBack(reason) ? this.#retryAfter(reason) : undefined
    // An EventSource would ask for a source again that it has read to its end.
    return encodeGoaway({
      reason,
      retry,
      id: reason === 'done' && !this.#hadTopics ? DONE_ID : undefined,
      isVisible: this.policy.isVisible,
    })
  }

  mustCut(reason: CloseReason): boolean {
    if (reason === 'error') return true
    if (reason === 'done' || !this.#hasNoBlocksOfOurs) return false
    // Who writes by hand and closes the stream has said everything; a source has not.
    return reason !== 'server' || this.#isOfSource
  }

  // The parsers of models' clients take every block for one of the model's.
  get #hasNoBlocksOfOurs(): boolean {
    return this.stream.isPlain || (!this.hasTopics && !this.#isEventSource)
  }

  async subscribe(topics: readonly string[], seen?: Cursor): Promise<void> {
    this.#refuseOwnIds()
    const checked = [...new Set(topics.map(checkReadTopic))]
    const held = new Set(this.topics)
    const added = checked.filter(topic => !held.has(topic))
    if (held.size + added.length > this.policy.maxTopics) {
      throw this.#tooMany()
    }
    if (checked.length > 0) this.#hadTopics = true
    await this.#feed.add(checked, seen)
    this.#tellPresence(added)
  }

  unsubscribe(topics: readonly string[]): void {
    this.stay.leave(topics)
    this.#feed.remove(topics)
  }

  /** The same from elsewhere: while the resolver is being asked, whatever it answers. */
  async grant(topics: readonly string[], seen: Cursor): Promise<void> {
    if (this.isOpening) this.#note(topics, true)
    else await this.subscribe(topics, seen)
  }

  /** Takes topics away, whatever the resolver answers that is still being asked. */
  withdraw(topics: readonly string[]): void {
    if (this.isOpening) this.#note(topics, false)
    this.unsubscribe(topics)
  }

  flush(): void {
    this.#feed.flush()
  }

  waiting(): void {
    this.#timers.watch()
  }

  sent(bytes: number): void {
    this.#hub.deliveries.bytes += bytes
  }

  kept(bytes: number): void {
    this.#hub.backlog.add(this, bytes)
  }

  emptied(): void {
    this.#feed.emptied()
  }

  closing(reason: CloseReason): void {
    this.stay.end(reason)
    this.#feed.stop()
    this.#poll?.stop()
    this.#timers.stop(reason, this.isOpening)
  }

  closed(): void {
    this.#timers.cancel()
    this.#hub.closed(this)
  }

  // Who has been superseded would take the place of another, in turn for ever: it is to come back when it is asked to.
  #retryAfter(reason: CloseReason): number {
    return reason === 'superseded' ? MAX_RETRY : (this.comeBackAfter ?? this.#retry())
  }

  #tellFirstByte(): void {
    const duration = this.clock.monotonic() - this.arrivedAt
    const message: FirstByteMessage = { hub: this.#hub, stream: this.stream, duration }
    FIRST_BYTE.publish(message)
  }

  #retry(): number {
    return jitteredRetry(this.policy.retry, this.clock)
  }

  #note(topics: readonly string[], isGranted: boolean): void {
    this.#changed ??= new OpeningTopics()
    if (!this.#changed.set(topics, isGranted)) this.stream.finish('unverifiable')
  }

  /** @throws {TypeError} for too many topics */
  #standing(requests: readonly TopicStart[]): readonly TopicStart[] {
    if (this.#changed === undefined) return requests
    // The resolver may have added them itself.
    this.#feed.remove(this.#changed.withdrawn)
    const standing = this.#changed.applyTo(requests)
    this.#changed = undefined
    const all = new Set([...this.topics, ...standing.map(({ topic }) => topic)])
    if (all.size <= this.policy.maxTopics) return standing
    throw this.#tooMany()
  }

  // Unlike those of the resolver these come without their state.
  #tellPresence(added: readonly string[]): void {
    this.#hub.audience.tell(added.filter(isPresenceTopic).map(topicOfPresence))
  }

  #tooMany(): TypeError {
    return new TypeError(`a stream has at most ${String(this.policy.maxTopics)} topics (\`limits.topics\`)`)
  }

  #refuseOwnIds(): void {
    if (!this.stream.hasOwnIds) return
    throw new EventStreamError(
      'ERR_EVENT_INVALID',
      'on a stream with topics the ids are the cursor: the resolver has sent an event with an `id` of its own before',
    )
  }
}
