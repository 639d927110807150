import type { Identity } from '../auth/identity.ts'
import type { Broker, BrokerListener, ControlMessage, DisconnectMessage } from '../broker/broker.ts'
import type { StoredEvent } from '../broker/event-log.ts'
import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'
import {
  ARRIVAL,
  PUBLISH,
  PUBLISHED,
  REFUSAL,
  type ArrivalMessage,
  type PublishedMessage,
  type PublishMessage,
  type RefusalMessage,
} from '../diagnostics.ts'
import { EventStreamError } from '../errors.ts'
import { duration, text } from '../options.ts'
import { safeError } from '../safe-error.ts'
import type { RequestedCloseReason } from '../stream/close-reason.ts'
import { formatPosition } from '../wire/cursor.ts'
import type { EventInput, Redact } from '../wire/event.ts'
import type { Gap, GapReason } from '../wire/frame.ts'
import { encodePublication, type EventRules } from '../wire/publication.ts'
import type { PublishNotes, PublishOptions } from '../wire/publish-options.ts'
import { Backlog } from './backlog.ts'
import { Counters } from './counters.ts'
import { StreamIndex, type StreamFilter, type StreamLimits } from './stream-index.ts'
import { Deliveries } from './deliveries.ts'
import { DEFAULT_DRAIN_WITHIN, drainStreams } from './drain.ts'
import { RevocationMarks } from './revocation-marks.ts'
import { Revocations } from './revocations.ts'
import { Endings } from './endings.ts'
import { FanOut } from './fan-out.ts'
import type { HubEvents, HubStats, RefusalReason, RunEnd, StreamInfo } from './lifecycle.ts'
import { Inspection } from './inspection.ts'
import { Instances } from './instances.ts'
import { Leases } from './leases.ts'
import type { Hub } from './hub.ts'
import { HubEmitter } from './hub-emitter.ts'
import { Audience, type AudienceOptions } from './presence/audience.ts'
import type { Presence } from './presence/state.ts'
import { Registry } from './registry.ts'
import {
  checkChange,
  type SubscriptionFilter,
  type SubscriptionOptions,
  type SubscriptionOutcome,
} from './subscription-change.ts'
import { Subscriptions } from './subscriptions.ts'
import { Surveys } from './surveys.ts'
import { checkServer, closeServer, type ClosableServer } from './shutdown.ts'
import type { StreamPolicy } from './stream-policy.ts'
import { Subscriber, type SubscriberFields, type SubscriberHub } from './subscriber.ts'
import { TimerWheel } from './timer-wheel.ts'

/** The checked options of `createHub()`, with its engine. */
export interface HubParts extends EventRules {
  /** Whether `maxEventBytes` is the application's own: nobody may lower it then. */
  readonly maxEventBytesGiven: boolean
  readonly broker: Broker
  readonly clock: Clock
  /** Milliseconds after which an instance that has died is known to be gone. */
  readonly lease?: number
  readonly presence?: AudienceOptions
}

// March 1973 in milliseconds; in seconds, the year 5138.
const EARLIEST_EXPIRY = 1e11

// Milliseconds that work which publishes has for its last word when the hub is closed.
const LAST_WORDS = 1_000

/** The one implementation of `Hub`. The middleware and the subscribers know it by more than the public contract. */
export class HubEngine extends HubEmitter implements Hub, SubscriberHub, BrokerListener {
  readonly broker: Broker
  readonly clock: Clock
  readonly maxEventBytes: number
  readonly maxEventBytesGiven: boolean
  readonly redact: Redact | undefined
  readonly wheel: TimerWheel
  readonly leases = new Leases(this)
  readonly instances: Instances
  readonly audience: Audience
  readonly backlog = new Backlog()
  readonly deliveries = new Deliveries(this, () => this.#logTime())
  readonly fanOut: FanOut
  readonly registry: Registry
  readonly revocationMarks: RevocationMarks
  readonly endings: Endings
  readonly subscriptions: Subscriptions
  readonly surveys: Surveys
  readonly inspection: Inspection

  readonly #revocations: Revocations
  readonly #streams = new StreamIndex()
  readonly #counters = new Counters()
  readonly #works = new Set<() => Promise<void>>()
  #workEnded: Promise<unknown> | undefined
  #drained: Promise<void> | undefined
  #ended: Promise<void> | undefined
  #shutDown: Promise<void> | undefined
  #closed = false

  constructor({ broker, clock, maxEventBytes, maxEventBytesGiven, redact, lease, presence }: HubParts) {
    super()
    this.broker = broker
    this.clock = clock
    this.maxEventBytes = maxEventBytes
    this.maxEventBytesGiven = maxEventBytesGiven
    this.redact = redact
    this.wheel = new TimerWheel(clock)
    this.instances = new Instances(this, lease)
    this.audience = new Audience(this, presence)
    this.fanOut = new FanOut(clock, this.deliveries)
    this.registry = new Registry(broker, this.fanOut)
    this.revocationMarks = new RevocationMarks(broker.store, clock)
    this.endings = new Endings(clock)
    this.subscriptions = new Subscriptions({
      broker,
      clock,
      instances: this.instances,
      find: filter => this.#streams.find(filter),
      all: () => this.#streams.all(),
      failed: (during, error, stream) => {
        this.failed(during, error, stream)
      },
    })
    this.surveys = new Surveys(this)
    this.inspection = new Inspection(this.#streams, this.registry, clock)
    this.#revocations = new Revocations(broker.store, clock)
    broker.listen(this)
  }

  publish(topics: string | readonly string[], event: EventInput, options?: PublishOptions): Promise<string> {
    if (!PUBLISH.hasSubscribers) return this.#publish(topics, event, options)
    const given = options?.traceparent
    const message: PublishMessage = { hub: this, topics, event, traceparent: given }
    return PUBLISH.tracePromise(() => {
      const { traceparent } = message
      return this.#publish(topics, event, traceparent === given ? options : { ...options, traceparent })
    }, message)
  }

  async #publish(topics: string | readonly string[], event: EventInput, options?: PublishOptions): Promise<string> {
    const { topics: list, body, notes } = encodePublication(topics, event, this, options)
    this.#requireOpen()
    return this.append(list, body, notes)
  }

  /** Puts in the log what is encoded, and counts it as published. */
  async append(topics: readonly string[], body: Uint8Array, notes?: PublishNotes): Promise<string> {
    const id = await this.broker.publish(topics, body, notes)
    this.#counters.published += 1
    if (PUBLISHED.hasSubscribers) {
      const message: PublishedMessage = { hub: this, topics }
      PUBLISHED.publish(message)
    }
    return id
  }

  async disconnect(filter: StreamFilter, reason: RequestedCloseReason = 'server'): Promise<void> {
    const { identity, session, token } = filter
    // A number in place of an `id` would fit no stream, and nobody would notice.
    for (const [key, value] of Object.entries({ identity, session, token })) {
      if (value !== undefined) text(key, value)
    }
    if (identity === undefined && session === undefined && token === undefined) {
      throw new TypeError('disconnect needs an `identity`, a `session` or a `token`')
    }
    this.#requireOpen()
    const message: DisconnectMessage = { type: 'disconnect', ...filter, reason }
    // This instance must not depend on a broker that may be down just now.
    this.control(message)
    // The mark goes before the message: whoever does not find the mark yet gets the message. It changes once more behind it:
    // what was derived from the login in between, on an instance that had not heard the message yet, ends as well.
    const marked = failureOf(this.revocationMarks.mark(filter))
    await this.broker.announce(message)
    const failure = (await marked) ?? (await failureOf(this.revocationMarks.mark(filter)))
    if (failure !== undefined) this.failed('disconnect', safeError(failure.error, [session, token]))
  }

  async subscribe(
    filter: SubscriptionFilter,
    topics: string | readonly string[],
    options?: SubscriptionOptions,
  ): Promise<SubscriptionOutcome> {
    return this.#change('subscribe', filter, topics, options)
  }

  async unsubscribe(
    filter: SubscriptionFilter,
    topics: string | readonly string[],
    options?: SubscriptionOptions,
  ): Promise<SubscriptionOutcome> {
    return this.#change('unsubscribe', filter, topics, options)
  }

  async revoke(token: string, expiry: number | Date): Promise<void> {
    if (typeof token !== 'string' || token === '') throw new TypeError('revoke needs the `jti` of a token')
    const until = Number(expiry)
    if (!Number.isFinite(until)) throw new TypeError('revoke needs the time when the token expires')
    // Taken for milliseconds, an `exp` would be long past, and the token be good for as long as before.
    if (until < EARLIEST_EXPIRY) throw new TypeError('revoke needs the expiry in milliseconds, not in seconds')
    this.#requireOpen()
    // This instance must not depend on a broker that may be down just now.
    this.control({ type: 'disconnect', token, reason: 'revoked' })
    const failure = await failureOf(this.#revocations.add(token, until - this.clock.now()))
    // Where Redis is full it still takes the message: streams elsewhere must not live on for want of the other half.
    await this.disconnect({ token }, 'revoked')
    if (failure === undefined) return
    const what = 'the streams of the token are closed, but that it was revoked could not be remembered'
    throw new EventStreamError('ERR_BROKER', what, { cause: safeError(failure.error, [token]) })
  }

  isRevoked(token: string): Promise<boolean> {
    return this.#revocations.has(token)
  }

  async cursor(): Promise<string> {
    this.#requireOpen()
    const { epoch, seq } = await this.broker.look()
    return formatPosition(epoch, seq)
  }

  async presence(topic: string, { most }: { most?: number } = {}): Promise<Presence> {
    this.#requireOpen()
    return this.audience.presence(topic, most)
  }

  async occupancy(topic: string): Promise<number> {
    this.#requireOpen()
    return this.audience.occupancy(topic)
  }

  async drain({ within }: { within?: number } = {}): Promise<void> {
    const window = duration('within', within, { default: DEFAULT_DRAIN_WITHIN })
    this.#drained ??= this.#drain(window)
    await this.#drained
  }

  close(): Promise<void> {
    this.#ended ??= this.#close()
    return this.#ended
  }

  async shutdown(server: ClosableServer, { within }: { within?: number } = {}): Promise<void> {
    const window = duration('within', within, { default: DEFAULT_DRAIN_WITHIN })
    const checked = checkServer(server)
    this.#shutDown ??= this.#shutdown(checked, window)
    await this.#shutDown
  }

  stats(): HubStats {
    return {
      streams: this.#streams.size,
      topics: this.registry.topics,
      identities: this.#streams.identities,
      addresses: this.#streams.addresses,
      bufferedBytes: this.backlog.bytes,
      delivered: this.deliveries.events,
      sentBytes: this.deliveries.bytes,
      leases: this.leases.size,
      ...this.#counters.snapshot(),
    }
  }

  get ready(): boolean {
    return this.broker.ready && !this.draining
  }

  // What the middleware asks.

  get draining(): boolean {
    return this.#drained !== undefined
  }

  /**
   * Has work that publishes ended when the hub drains, before the streams are, so that their clients still hear of it.
   * It has half of the window, and must not reject.
   */
  endBeforeDrain(end: () => Promise<void>): void {
    this.#works.add(end)
  }

  /** A run of a relay has begun on this instance. */
  runBegan(): void {
    this.#counters.running += 1
  }

  /** A run of a relay on this instance is over. */
  runEnded(how: RunEnd): void {
    this.#counters.runEnded(how)
  }

  /** Why there can be no more streams for this address and identity, if there cannot. */
  refusal(limits: StreamLimits, address: string, identity?: Identity): RefusalReason | undefined {
    return this.draining ? 'draining' : this.#streams.refusal(limits, address, identity)
  }

  /** Makes a stream and counts it. It is found by `disconnect` from now on, and live once it is opened. */
  enter(policy: StreamPolicy, fields: SubscriberFields): Subscriber {
    const subscriber = new Subscriber(this, policy, fields)
    this.#streams.add(subscriber)
    return subscriber
  }

  /** Makes room in this process for a stream that opens now, at the cost of the oldest of its identity. */
  makeRoom(subscriber: Subscriber, most: number): void {
    const { open, opening, closing } = this.#streams.surplus(subscriber, most)
    for (const { stream } of [...open, ...opening]) stream.finish('superseded')
    for (const { stream } of closing) stream.abandon('superseded')
  }

  /** Ends streams of an identity that have lost their places, on whatever instance they are. */
  supersede(identity: string, streams: readonly string[]): void {
    if (streams.length === 0) return
    const message: ControlMessage = { type: 'supersede', identity, streams }
    this.control(message)
    const own = this.#streams.find({ identity }).map(({ stream }) => stream.id)
    if (streams.every(id => own.includes(id))) return
    this.broker.announce(message).catch((error: unknown) => {
      this.failed('supersede', error)
    })
  }

  opened(subscriber: Subscriber): void {
    this.#counters.opened += 1
    subscriber.order = this.#counters.opened
    this.tell('open', { stream: subscriber.stream })
    subscriber.stay.begin()
  }

  /** @param identity who it was, where that is known: of use to channels only */
  refused(reason: RefusalReason, status: number, error?: unknown, identity?: Identity): void {
    this.#counters.refused(reason)
    if (REFUSAL.hasSubscribers) {
      const message: RefusalMessage = { hub: this, reason, status, identity }
      REFUSAL.publish(message)
    }
    this.tell('refuse', error === undefined ? { reason, status } : { reason, status, error })
  }

  // What subscribers say.

  told(stream: StreamInfo, gap: Gap): void {
    this.#counters.gaps += 1
    this.tell('gap', { stream, gap })
  }

  failed(during: string, error: unknown, stream?: StreamInfo): void {
    this.tell('fault', stream === undefined ? { during, error } : { during, error, stream })
  }

  closed(subscriber: Subscriber): void {
    this.leases.release(subscriber.stream)
    this.#streams.delete(subscriber)
    const reason = subscriber.stream.closeReason
    if (subscriber.order === undefined || reason === undefined) return
    this.#counters.closed(reason)
    const duration = Math.round(this.clock.monotonic() - subscriber.openedAt)
    this.tell('close', { stream: subscriber.stream, reason, duration })
  }

  // What the broker says.

  event(topics: readonly string[], event: StoredEvent): void {
    if (ARRIVAL.hasSubscribers) {
      const message: ArrivalMessage = { hub: this, topics, lag: Math.max(0, this.#logTime() - event.at) }
      ARRIVAL.publish(message)
    }
    this.registry.deliver(topics, event)
  }

  gap(topics: readonly string[], reason: GapReason): void {
    this.fanOut.flush()
    this.registry.tell(topics, reason)
  }

  control(message: ControlMessage): void {
    if (message.type === 'supersede') {
      const { identity, streams } = message
      for (const { stream } of this.#streams.find({ identity })) {
        if (streams.includes(stream.id)) stream.finish('superseded')
      }
      return
    }
    if (message.type === 'survey' || message.type === 'survey-answer') {
      this.surveys.hear(message)
      return
    }
    if (message.type !== 'disconnect') {
      this.subscriptions.hear(message)
      return
    }
    this.endings.add(message)
    for (const { stream } of this.#streams.find(message)) stream.close(message.reason)
  }

  controlMissed(): void {
    this.endings.missed()
    for (const subscriber of this.#streams.all()) subscriber.verify()
    this.subscriptions.missed()
  }

  readiness(ready: boolean, error?: unknown): void {
    if (!ready) {
      this.tell('lost', { error })
      return
    }
    this.leases.retry()
    void this.#revocations.restore()
    this.tell('ready')
  }

  fault(during: string, error: unknown): void {
    this.failed(during, error)
  }

  protected override tell<N extends keyof HubEvents>(name: N, ...args: HubEvents[N]): void {
    if (name === 'fault') this.#counters.faults += 1
    else if (name === 'lost') this.#counters.lost += 1
    super.tell(name, ...args)
  }

  async #drain(within: number): Promise<void> {
    this.tell('drain', { streams: this.#streams.size })
    const left = this.#works.size === 0 ? within : await this.#endWorks(within)
    this.fanOut.flush()
    await drainStreams(this.#streams.all(), left, this.clock)
  }

  // Answers how much of the window is left.
  async #endWorks(window: number): Promise<number> {
    const startedAt = this.clock.monotonic()
    this.#workEnded = Promise.all([...this.#works].map(end => end()))
    await this.#atMost(window / 2, this.#workEnded)
    return Math.max(1, window - (this.clock.monotonic() - startedAt))
  }

  // What takes longer is not waited for.
  async #atMost(ms: number, work: Promise<unknown>): Promise<void> {
    await failureOf(within(this.clock, ms, work, () => new Error('it is not waited for any longer')))
  }

  async #close(): Promise<void> {
    // A drain that is under way gets no more time.
    if (this.draining) for (const { stream } of this.#streams.all()) stream.abandon('drain')
    await this.drain({ within: 1 })
    // Cut streams are no reason to leave work without its last word.
    if (this.#workEnded !== undefined) await this.#atMost(LAST_WORDS, this.#workEnded)
    this.#closed = true
    this.subscriptions.close()
    this.surveys.close()
    await this.audience.close()
    await Promise.all([this.leases.settled(), this.instances.close()])
    await this.broker.close()
  }

  async #shutdown(server: ClosableServer, window: number): Promise<void> {
    const startedAt = this.clock.monotonic()
    try {
      await this.drain({ within: window })
      await closeServer(server, Math.max(1, window - (this.clock.monotonic() - startedAt)), this.clock)
    } catch (error) {
      this.failed('shutdown', error)
    }
    await this.close()
  }

  async #change(...args: Parameters<typeof checkChange>): Promise<SubscriptionOutcome> {
    const change = checkChange(...args)
    this.#requireOpen()
    const { streams, since, complete } = await this.subscriptions.change(change)
    return { streams, since, complete }
  }

  #logTime(): number {
    return this.broker.time?.() ?? this.clock.now()
  }

  #requireOpen(): void {
    if (this.#closed) throw new EventStreamError('ERR_HUB_CLOSED', 'the hub has been closed')
  }
}

/** What something is rejected with, if it is. */
function failureOf(work: Promise<unknown>): Promise<{ readonly error: unknown } | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
}
