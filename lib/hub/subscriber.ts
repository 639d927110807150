import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { Revalidation } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { Broker } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import { EventStream, type StreamHost } from '../stream/event-stream.ts'
import { checkTopic } from '../topic.ts'
import type { EventMap } from '../wire/event.ts'
import { formatPosition, parseCursor, type Cursor } from '../wire/cursor.ts'
import { encodeCursor, encodeGap, encodeRetry, type Gap, type GapReason } from '../wire/frame.ts'
import { jitteredRetry } from '../wire/retry.ts'
import type { Batch, FanOut } from './fan-out.ts'
import type { StreamInfo } from './lifecycle.ts'
import { Pulse } from './pulse.ts'
import type { Member, Registry } from './registry.ts'
import { Replay } from './replay.ts'
import type { StreamPolicy } from './stream-policy.ts'
import type { TopicRequest } from './subscription.ts'
import type { Wheel } from './wheel.ts'

/** What subscribers share: the parts of their hub. */
export interface SubscriberHub {
  readonly broker: Broker
  readonly registry: Registry
  readonly fanOut: FanOut
  readonly wheel: Wheel
  readonly clock: Clock
  readonly maxEventBytes: number
  told(subscriber: Subscriber, gap: Gap): void
  failed(during: string, error: unknown, stream: StreamInfo): void
  closed(subscriber: Subscriber): void
}

/** Who asks for a stream, from where, and what they have seen. */
export interface SubscriberFields {
  readonly identity: Identity | undefined
  readonly revalidation: Revalidation | undefined
  readonly address: string
  readonly lastEventId: string | undefined
}

/**
 * - `opening`: the resolver is being asked; topics are collected
 * - `joining`: the broker is being asked for the topics
 * - `replaying`: history is sent at the reader's pace; live events wait in history
 * - `live`: events are sent as they come
 * - `behind`: more came in one tick than may be buffered; history has it
 */
type State = 'opening' | 'joining' | 'replaying' | 'live' | 'behind'

/** A stream's life in the hub: its topics, its place in the log, and what it is due. */
export class Subscriber implements StreamHost, Member {
  readonly stream: EventStream<EventMap, Identity | undefined>
  readonly address: string
  readonly policy: StreamPolicy
  readonly openedAt: number
  due: Batch | undefined
  /** Whether the stream got as far as being announced. */
  wasOpened = false

  readonly #hub: SubscriberHub
  readonly #pulse: Pulse
  #topics: string[] = []
  #state: State = 'opening'
  // The last place in the log that the client has been brought to.
  #seq = -1
  // The last id that this stream has sent: the next one must be greater.
  #sentSeq = -1
  #replay: Replay | undefined
  // Settles when the broker has answered; topics that are added meanwhile wait for it.
  #joining: Promise<void> | undefined

  constructor(hub: SubscriberHub, policy: StreamPolicy, fields: SubscriberFields) {
    const { identity, revalidation, address, lastEventId } = fields
    this.#hub = hub
    this.policy = policy
    this.address = address
    this.openedAt = hub.clock.now()
    this.stream = new EventStream({ id: randomBytes(12).toString('base64url'), identity, lastEventId }, this)
    this.#pulse = new Pulse(hub, this.stream, policy, revalidation)
  }

  get identity(): Identity | undefined {
    return this.stream.identity
  }

  /** How many more topics the stream may have. */
  get topicsLeft(): number {
    return this.policy.maxTopics - this.#topics.length
  }

  get isOpening(): boolean {
    return this.#state === 'opening'
  }

  get hasTopics(): boolean {
    return this.#topics.length > 0
  }

  get bufferBytes(): number {
    return this.policy.bufferBytes
  }

  get maxEventBytes(): number {
    return this.#hub.maxEventBytes
  }

  /**
   * Brings the stream to life: history that the client has missed, then its cursor, then live events.
   *
   * @returns once the subscription stands and the first bytes have been written
   * @throws what the broker throws
   */
  async open(requests: readonly Required<TopicRequest>[]): Promise<void> {
    const wishes = new Map(requests.map(({ topic, replay }) => [topic, replay]))
    for (const topic of this.#topics) if (!wishes.has(topic)) wishes.set(topic, 0)
    this.#topics = [...wishes.keys()]
    const retry = encodeRetry(jitteredRetry(this.policy.retry))
    if (this.hasTopics) {
      this.#joining = this.#openTopics(wishes, retry)
      await this.#joining
      this.#joining = undefined
    } else {
      this.#state = 'live'
      this.stream.offer(retry)
    }
    this.#pulse.start()
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    const added = [...new Set(topics.map(checkTopic))].filter(topic => !this.#topics.includes(topic))
    if (added.length > this.topicsLeft) {
      throw new TypeError(`a stream has at most ${String(this.policy.maxTopics)} topics`)
    }
    this.#topics.push(...added)
    if (this.#state === 'opening') return
    const first = this.#topics.length === added.length
    try {
      await this.#joining
      await this.#hub.registry.join(this, this.#wanted(added))
      // Some may have been asked for a moment ago, and not be live yet either.
      await this.#hub.registry.confirmed(topics)
    } catch (error) {
      this.unsubscribe(added)
      throw error
    }
    if (this.stream.closeReason !== undefined) this.#hub.registry.leave(this, added)
    else this.#include(this.#wanted(added), first)
  }

  unsubscribe(topics: readonly string[]): void {
    const removed = topics.filter(topic => this.#topics.includes(topic))
    this.#topics = this.#topics.filter(topic => !removed.includes(topic))
    for (const topic of removed) this.#replay?.delete(topic)
    if (this.#state !== 'opening') this.#hub.registry.leave(this, removed)
  }

  awaits(seq: number): boolean {
    return this.#state === 'live' && seq > (this.due?.event.seq ?? this.#seq)
  }

  // More in one tick than may be buffered is no reason to drop a client that has read all before it.
  fallBehind(): void {
    this.due = undefined
    this.#state = 'behind'
  }

  flush(): void {
    const { due } = this
    this.due = undefined
    if (this.#state === 'behind') {
      if (this.stream.bufferedBytes > 0) this.stream.abandon('slow')
      else this.#replayFrom(new Map(this.#topics.map(topic => [topic, 0])))
      return
    }
    if (due === undefined || this.#state !== 'live') return
    this.#seq = due.event.seq
    this.stream.offer(due.bytes)
  }

  /** Tells the client that events of its topics are lost, before anything that comes after them. */
  tell(topics: readonly string[], reason: GapReason): void {
    this.flush()
    if (reason === 'epoch') this.#beginAnew(topics)
    // A stream that is opening or replaying finds in history what is missing.
    else if (this.#state === 'live') this.#sendGap({ topics, reason })
  }

  wrote(): void {
    this.#pulse.wrote()
  }

  closing(reason: CloseReason): void {
    this.due = undefined
    this.#replay = undefined
    if (this.#state !== 'opening') this.#hub.registry.leave(this, this.#topics)
    this.#pulse.stop(reason)
  }

  closed(): void {
    this.#pulse.cancel()
    this.#hub.closed(this)
  }

  async #openTopics(wishes: ReadonlyMap<string, number>, retry: Buffer): Promise<void> {
    const { registry, broker } = this.#hub
    const cursor = parseCursor(this.stream.lastEventId)
    const topics = [...wishes.keys()]
    this.#state = 'joining'
    await registry.join(this, topics)
    try {
      await broker.load(topics, oldestOfInterest(cursor, wishes), typeof cursor === 'object' ? cursor.epoch : undefined)
    } catch (error) {
      registry.leave(this, topics)
      throw error
    }
    if (this.stream.closeReason !== undefined) {
      registry.leave(this, topics)
      return
    }
    this.stream.offer(retry)
    this.#catchUp(cursor, new Map(this.#wanted(topics).map(topic => [topic, wishes.get(topic) ?? 0])))
  }

  // Of these topics the ones that have not been taken away while the broker was asked.
  #wanted(topics: readonly string[]): string[] {
    return topics.filter(topic => this.#topics.includes(topic))
  }

  #catchUp(cursor: Cursor, wishes: ReadonlyMap<string, number>): void {
    const { broker } = this.#hub
    const position = broker.position()
    if (cursor === undefined) {
      this.#replayFrom(
        new Map([...wishes].map(([topic, n]) => [topic, n === 0 ? position.seq : broker.startOfLast(topic, n)])),
      )
      return
    }
    const topics = [...wishes.keys()]
    const lost = whyLost(cursor, position)
    if (lost !== undefined) this.#sendGap({ topics, reason: lost })
    else if (cursor !== 'unknown') this.#seq = cursor.seq
    const start = lost === undefined ? 0 : position.seq
    this.#replayFrom(new Map(topics.map(topic => [topic, start])))
  }

  #replayFrom(starts: ReadonlyMap<string, number>): void {
    this.#state = 'replaying'
    this.#replay = new Replay(this.#hub.broker, starts)
    this.#turnPage()
  }

  // Sends a page of history, and the next one when the client has taken it. With the last page the stream goes live, in
  // the same turn, so that no event falls in between.
  readonly #turnPage = (): void => {
    if (this.#replay === undefined) return
    const page = this.#replay.next(this.#seq)
    if (page.trimmed.length > 0) this.#sendGap({ topics: page.trimmed, reason: 'trimmed' })
    this.#seq = page.events.at(-1)?.seq ?? this.#seq
    this.#sentSeq = page.events.at(-1)?.seq ?? this.#sentSeq
    const frames = page.events.map(event => event.frame)
    if (!page.more) {
      frames.push(this.#arrive())
      this.#replay = undefined
      this.#state = 'live'
    }
    this.stream.write(Buffer.concat(frames), this.#turnPage)
  }

  // The cursor goes out where the replay ends; where the client has that id already it needs no other.
  #arrive(): Buffer {
    const { epoch, seq } = this.#hub.broker.position()
    if (seq <= this.#sentSeq) return encodeCursor(undefined)
    this.#seq = seq
    this.#sentSeq = seq
    return encodeCursor(formatPosition(epoch, seq))
  }

  // The ids of the new life of the log have nothing to do with those before.
  #beginAnew(topics: readonly string[]): void {
    // A stream that is only just opening compares its cursor with the new life.
    if (this.#state === 'opening' || this.#state === 'joining') return
    const { epoch, seq } = this.#hub.broker.position()
    this.#replay = undefined
    this.#state = 'live'
    this.#seq = seq
    this.#sentSeq = seq
    this.#sendGap({ topics, reason: 'epoch' })
    this.stream.offer(encodeCursor(formatPosition(epoch, seq)))
  }

  #sendGap(gap: Gap): void {
    this.stream.write(encodeGap(gap))
    this.#hub.told(this, gap)
  }

  #include(topics: readonly string[], first: boolean): void {
    this.flush()
    const { epoch, seq } = this.#hub.broker.position()
    if (this.#replay !== undefined) {
      for (const topic of topics) this.#replay.add(topic, seq)
      return
    }
    if (seq <= this.#seq) return
    this.#seq = seq
    if (first) this.stream.offer(encodeCursor(formatPosition(epoch, seq)))
  }
}

/** Why a client cannot go on from its cursor, if it cannot. */
function whyLost(cursor: Exclude<Cursor, undefined>, position: { epoch: string; seq: number }): GapReason | undefined {
  if (cursor === 'unknown') return 'unknown'
  if (cursor.epoch !== position.epoch) return 'epoch'
  return cursor.seq > position.seq ? 'unknown' : undefined
}

function oldestOfInterest(cursor: Cursor, wishes: ReadonlyMap<string, number>): number {
  if (typeof cursor === 'object') return cursor.seq
  return cursor === undefined && [...wishes.values()].some(replay => replay > 0) ? 0 : Infinity
}
