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

/** What this needs of the hub. */
export interface SubscriberHub extends FeedHub, StreamTimersHub {
  readonly maxEventBytes: number
  readonly redact: Redact | undefined
  readonly backlog: Backlog
  readonly audience: Audience
  readonly deliveries: Deliveries
  closed(subscriber: Subscriber): void
}

/** The request for a stream. */
export interface SubscriberFields {
  readonly identity: Identity | undefined
  readonly revalidation: Revalidation | undefined
  readonly address: string
  /** When the request reached the middleware, by the monotonic clock. Default: now. */
  readonly arrivedAt?: number
  readonly lastEventId: string | undefined
  /** Whether the request is a GET: the client may be an EventSource, which reconnects by itself. */
  readonly isEventSource: boolean
  /** Whether it is a long poll: the stream ends with its first events. Default `false`. */
  readonly isPoll?: boolean
}

// Reasons without a last block.
const UNTOLD: ReadonlySet<CloseReason> = new Set(['client', 'slow', 'replaced', 'error'])

/**
 * A stream as the hub's subscriber: its owner, its feed, its timers and its presence.
 *
 * It is one long file because `EventStream` has one host: most methods only pass a call on to the feed, the timers, the
 * presence or the poll, and the rest decides by flags that several of them share.
 */
export class Subscriber implements StreamHost {
  readonly stream: EventStream<EventMap, Identity | undefined>
  readonly address: string
  readonly policy: StreamPolicy
  /** By the monotonic clock. */
  readonly openedAt: number
  /** When the request reached the middleware, by the monotonic clock. */
  readonly arrivedAt: number
  /** Whether the resolver is still running: nothing is sent yet. */
  isOpening = true
  /** Its number among the streams opened on this instance; `undefined` before it is opened. */
  order: number | undefined
  /** The reconnection delay for a drain, in milliseconds. */
  comeBackAfter: number | undefined
  /** The topics at which its identity is present. */
  readonly stay: Stay

  readonly #hub: SubscriberHub
  readonly #isEventSource: boolean
  // Whether the stream ever had topics: the id of a source must not replace its cursor then.
  #hadTopics = false
  // Whether its resolver returned a source.
  #isOfSource = false
  // Topics added or removed while the resolver is running.
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

  /** The id that the client will resume from. */
  get lastId(): string | undefined {
    return this.#feed.lastId
  }

  /** Whether it was a long poll that has ended normally, and was not closed. */
  get isPollOver(): boolean {
    return this.#isPollOver && this.stream.closeReason === 'done'
  }

  get hasTopics(): boolean {
    return this.topics.length > 0
  }

  /** Whether topics may be added by `hub.subscribe()`: not to a source, whose client would take them for its events. */
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
   * Opens the stream with these topics and those that the resolver has added itself.
   *
   * @param place the end of the log when the resolver was called
   * @param isOfSource whether the resolver returned a source
   * @returns nothing if the topics are joined synchronously, or a promise that resolves once they are
   * @throws what the broker throws, synchronously or as a rejection
   */
  open(answered: readonly TopicStart[], place: Standing, isOfSource = false): void | Promise<void> {
    this.#isOfSource = isOfSource
    const requests = answered.length > 0 || this.takesTopics ? this.#applyChanges(answered) : answered
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

  /** The end of its login may have been missed: revalidates the login, or ends the stream if that is impossible. */
  verify(): void {
    if (this.identity !== undefined) this.#timers.verify()
  }

  /**
   * Decides whether to compress the stream, and returns it: not without topics, since a source shares no events with
   * other streams; not a long poll, which ends with its first events; and not if the resolver has let something read
   * it, which has got its first bytes already.
   */
  compress(): boolean {
    const isShared = this.hasTopics && this.#poll === undefined
    this.#isCompressed = this.policy.cohorts !== undefined && isShared && !this.stream.isPiped
    return this.#isCompressed
  }

  /** Takes that decision back, before anything reads the stream. */
  leavePlain(): void {
    this.#isCompressed = false
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
    // The client of a long poll reconnects immediately.
    if (this.#isPollOver || UNTOLD.has(reason) || this.#isEventsOnly) return undefined
    const retry = this.#isEventSource && mayComeBack(reason) ? this.#retryAfter(reason) : undefined
    // `DONE_ID`, since an EventSource would otherwise request a finished source again.
    return encodeGoaway({
      reason,
      retry,
      id: reason === 'done' && !this.#hadTopics ? DONE_ID : undefined,
      isVisible: this.policy.isVisible,
    })
  }

  mustCut(reason: CloseReason): boolean {
    if (reason === 'error') return true
    if (reason === 'done' || !this.#isEventsOnly) return false
    // A resolver that writes itself and closes the stream has sent everything; a closed source has not.
    return reason !== 'server' || this.#isOfSource
  }

  // Whether the stream must not contain blocks of this package: clients of model APIs take every block for the model's.
  get #isEventsOnly(): boolean {
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

  /** Adds topics on behalf of `hub.subscribe()`; while the resolver is running, in addition to what it returns. */
  async grant(topics: readonly string[], seen: Cursor): Promise<void> {
    if (this.isOpening) this.#note(topics, true)
    else await this.subscribe(topics, seen)
  }

  /** Removes topics; while the resolver is running, also from what it returns. */
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

  // Superseded clients that reconnected by themselves would supersede each other forever, so they get the longest
  // delay.
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

  /**
   * Applies the changes made while the resolver was running.
   *
   * @throws {TypeError} for too many topics
   */
  #applyChanges(requests: readonly TopicStart[]): readonly TopicStart[] {
    if (this.#changed === undefined) return requests
    // The resolver may have added removed topics itself.
    this.#feed.remove(this.#changed.withdrawn)
    const changed = this.#changed.applyTo(requests)
    this.#changed = undefined
    const all = new Set([...this.topics, ...changed.map(({ topic }) => topic)])
    if (all.size <= this.policy.maxTopics) return changed
    throw this.#tooMany()
  }

  // Announces the state of added presence topics: unlike those that the resolver returns, they have no snapshot.
  #tellPresence(added: readonly string[]): void {
    this.#hub.audience.tell(added.filter(isPresenceTopic).map(topicOfPresence))
  }

  #tooMany(): TypeError {
    return new TypeError(`a stream may have at most ${String(this.policy.maxTopics)} topics (\`limits.topics\`)`)
  }

  #refuseOwnIds(): void {
    if (!this.stream.hasOwnIds) return
    throw new EventStreamError(
      'ERR_EVENT_INVALID',
      'a stream with topics uses event ids as its cursor, but the resolver has already sent an event with its own `id`',
    )
  }
}
