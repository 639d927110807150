import type { Revalidation } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import { EventStream, type StreamHost } from '../stream/event-stream.ts'
import { checkTopic } from '../topic.ts'
import { parseCursor } from '../wire/cursor.ts'
import type { EventMap, Redact } from '../wire/event.ts'
import { encodeRetry } from '../wire/frame.ts'
import { jitteredRetry } from '../wire/retry.ts'
import { Feed, type FeedHub } from './feed.ts'
import { StreamTimers, type StreamTimersHub } from './stream-timers.ts'
import type { StreamPolicy } from './stream-policy.ts'
import type { TopicRequest } from './subscription.ts'

/** What subscribers share: the parts of their hub. */
export interface SubscriberHub extends FeedHub, StreamTimersHub {
  readonly maxEventBytes: number
  readonly redact: Redact | undefined
  closed(subscriber: Subscriber): void
}

/** Who asks for a stream, from where, and what they have seen. */
export interface SubscriberFields {
  readonly identity: Identity | undefined
  readonly revalidation: Revalidation | undefined
  readonly address: string
  readonly lastEventId: string | undefined
}

/** A stream's life in the hub: who holds it, what it gets of the log, and what it does as time goes by. */
export class Subscriber implements StreamHost {
  readonly stream: EventStream<EventMap, Identity | undefined>
  readonly address: string
  readonly policy: StreamPolicy
  readonly openedAt: number
  /** Whether the resolver is still being asked: nobody reads the stream yet. */
  isOpening = true
  /** Whether the stream got as far as being announced. */
  wasOpened = false

  readonly #hub: SubscriberHub
  readonly #feed: Feed
  readonly #pulse: StreamTimers

  constructor(hub: SubscriberHub, policy: StreamPolicy, fields: SubscriberFields) {
    const { identity, revalidation, address, lastEventId } = fields
    this.#hub = hub
    this.policy = policy
    this.address = address
    this.openedAt = hub.clock.monotonic()
    this.stream = new EventStream({ identity, lastEventId }, this)
    this.#feed = new Feed(hub, this.stream, policy)
    this.#pulse = new StreamTimers(hub, this.stream, policy, revalidation)
  }

  get identity(): Identity | undefined {
    return this.stream.identity
  }

  get topics(): readonly string[] {
    return this.#feed.topics
  }

  /** How many more topics the stream may have. */
  get topicsLeft(): number {
    return this.policy.maxTopics - this.#feed.topics.length
  }

  get hasTopics(): boolean {
    return this.#feed.topics.length > 0
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
   * @returns once the subscription stands and the first bytes have been written
   * @throws what the broker throws
   */
  async open(requests: readonly Required<TopicRequest>[]): Promise<void> {
    const wishes = new Map(requests.map(({ topic, replay }) => [topic, replay]))
    for (const topic of this.#feed.topics) if (!wishes.has(topic)) wishes.set(topic, 0)
    this.isOpening = false
    this.stream.offer(encodeRetry(jitteredRetry(this.policy.retry)))
    await this.#feed.start(wishes, parseCursor(this.stream.lastEventId))
    this.#pulse.start()
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    const checked = new Set(topics.map(checkTopic))
    const added = [...checked].filter(topic => !this.#feed.topics.includes(topic))
    if (added.length > this.topicsLeft) {
      throw new TypeError(`a stream has at most ${String(this.policy.maxTopics)} topics`)
    }
    await this.#feed.add([...checked])
  }

  unsubscribe(topics: readonly string[]): void {
    this.#feed.remove(topics)
  }

  flush(): void {
    this.#feed.flush()
  }

  now(): number {
    return this.#hub.clock.now()
  }

  closing(reason: CloseReason): void {
    this.#feed.stop()
    this.#pulse.stop(reason)
  }

  closed(): void {
    this.#pulse.cancel()
    this.#hub.closed(this)
  }
}
