import type { Identity } from '../auth/identity.ts'
import type { Broker, BrokerListener, ControlMessage } from '../broker/broker.ts'
import type { StoredEvent } from '../broker/event-log.ts'
import type { Clock } from '../clock.ts'
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
import { Disconnections } from './disconnections.ts'
import { RevocationMarks } from './revocation-marks.ts'
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
import type { ClosableServer } from './shutdown.ts'
import type { StreamPolicy } from './stream-policy.ts'
import { Subscriber, type SubscriberFields, type SubscriberHub } from './subscriber.ts'
import { Termination } from './termination.ts'
import { TimerWheel } from './timer-wheel.ts'

/** The checked options of `createHub()`, with its engine. */
export interface HubParts extends EventRules {
  /** Whether the application set `maxEventBytes`: a route may not lower it then. */
  readonly maxEventBytesGiven: boolean
  readonly broker: Broker
  readonly clock: Clock
  /** Milliseconds until the other instances consider a crashed instance gone. */
  readonly lease?: number
  readonly presence?: AudienceOptions
}

/**
 * The implementation of `Hub`. The middleware, the relay and the operators' page use it directly, beyond the public
 * contract.
 *
 * It is one long file because it is a facade: it implements what applications (`Hub`), streams (`SubscriberHub`) and
 * the broker (`BrokerListener`) call, in short methods that delegate to its parts.
 */
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

  readonly #streams = new StreamIndex()
  readonly #counters = new Counters()
  readonly #disconnections: Disconnections
  readonly #termination: Termination

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
    this.#disconnections = new Disconnections(this)
    this.#termination = new Termination(this, this.#streams, () => this.#release())
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
    this.requireOpen()
    return this.append(list, body, notes)
  }

  /** Appends an encoded event to the log, and counts it as published. */
  async append(topics: readonly string[], body: Uint8Array, notes?: PublishNotes): Promise<string> {
    const id = await this.broker.publish(topics, body, notes)
    this.#counters.published += 1
    if (PUBLISHED.hasSubscribers) {
      const message: PublishedMessage = { hub: this, topics }
      PUBLISHED.publish(message)
    }
    return id
  }

  disconnect(filter: StreamFilter, reason?: RequestedCloseReason): Promise<void> {
    return this.#disconnections.disconnect(filter, reason)
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

  revoke(token: string, expiry: number | Date): Promise<void> {
    return this.#disconnections.revoke(token, expiry)
  }

  isRevoked(token: string): Promise<boolean> {
    return this.#disconnections.isRevoked(token)
  }

  async cursor(): Promise<string> {
    this.requireOpen()
    const { epoch, seq } = await this.broker.look()
    return formatPosition(epoch, seq)
  }

  async presence(topic: string, { most }: { most?: number } = {}): Promise<Presence> {
    this.requireOpen()
    return this.audience.presence(topic, most)
  }

  async occupancy(topic: string): Promise<number> {
    this.requireOpen()
    return this.audience.occupancy(topic)
  }

  drain(options?: { within?: number }): Promise<void> {
    return this.#termination.drain(options)
  }

  close(): Promise<void> {
    return this.#termination.close()
  }

  shutdown(server: ClosableServer, options?: { within?: number }): Promise<void> {
    return this.#termination.shutdown(server, options)
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

  /** @throws {EventStreamError} `ERR_HUB_CLOSED` */
  requireOpen(): void {
    if (this.#termination.isClosed) throw new EventStreamError('ERR_HUB_CLOSED', 'the hub has been closed')
  }

  // For the middleware and the relay.

  get draining(): boolean {
    return this.#termination.isDraining
  }

  /** Registers work to end when the hub drains, before the streams do. See `Termination`. */
  endBeforeDrain(end: () => Promise<void>): void {
    this.#termination.endBeforeDrain(end)
  }

  /** Counts a relay run that starts on this instance. */
  runBegan(): void {
    this.#counters.running += 1
  }

  /** Counts a relay run that has ended on this instance. */
  runEnded(how: RunEnd): void {
    this.#counters.runEnded(how)
  }

  /** Why this address and identity cannot open another stream; `undefined` if they can. */
  refusal(limits: StreamLimits, address: string, identity?: Identity): RefusalReason | undefined {
    return this.draining ? 'draining' : this.#streams.refusal(limits, address, identity)
  }

  /** Creates a stream that is counted and found by `disconnect` from now on; it is live once opened. */
  enter(policy: StreamPolicy, fields: SubscriberFields): Subscriber {
    const subscriber = new Subscriber(this, policy, fields)
    this.#streams.add(subscriber)
    return subscriber
  }

  /** Ends the oldest streams of the identity in this process, so that at most `most` are left with this one. */
  makeRoom(subscriber: Subscriber, most: number): void {
    const { open, opening, closing } = this.#streams.surplus(subscriber, most)
    for (const { stream } of [...open, ...opening]) stream.finish('superseded')
    for (const { stream } of closing) stream.abandon('superseded')
  }

  /** Ends streams of an identity that lost their leases, on any instance. */
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

  /** @param identity the identity, if known: for diagnostics channels only */
  refused(reason: RefusalReason, status: number, error?: unknown, identity?: Identity): void {
    this.#counters.refused(reason)
    if (REFUSAL.hasSubscribers) {
      const message: RefusalMessage = { hub: this, reason, status, identity }
      REFUSAL.publish(message)
    }
    this.tell('refuse', error === undefined ? { reason, status } : { reason, status, error })
  }

  // For subscribers.

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

  // BrokerListener.

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
    this.#disconnections.restore()
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

  async #release(): Promise<void> {
    this.subscriptions.close()
    this.surveys.close()
    await this.audience.close()
    await Promise.all([this.leases.settled(), this.instances.close()])
    await this.broker.close()
  }

  async #change(...args: Parameters<typeof checkChange>): Promise<SubscriptionOutcome> {
    const change = checkChange(...args)
    this.requireOpen()
    const { streams, since, complete } = await this.subscriptions.change(change)
    return { streams, since, complete }
  }

  #logTime(): number {
    return this.broker.time?.() ?? this.clock.now()
  }
}
