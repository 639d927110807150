import { listenTo, type ChannelMessages } from '../diagnostics.ts'
import type { Hub } from '../hub/hub.ts'
import type { HubEvents } from '../hub/lifecycle.ts'
import { PUBLISH_FAILURES, type Flow } from './flow.ts'
import type { TopicKinds } from './topic-kinds.ts'

/** Records the hub's events and diagnostics as metrics, until it is stopped. */
export class Observer {
  readonly #hub: Hub
  readonly #flow: Flow
  readonly #kinds: TopicKinds
  // Start times of calls in progress.
  readonly #began = new WeakMap<object, number>()
  readonly #stops: (() => void)[] = []

  constructor(hub: Hub, flow: Flow, kinds: TopicKinds) {
    this.#hub = hub
    this.#flow = flow
    this.#kinds = kinds
    this.#watchHub()
    this.#watchEvents()
    this.#watchStreams()
    this.#watchCalls()
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  #watchHub(): void {
    const { gaps, life } = this.#flow
    const gap = ({ gap: { reason } }: HubEvents['gap'][0]): void => {
      gaps.inc({ reason })
    }
    const close = ({ duration }: HubEvents['close'][0]): void => {
      life.observe(duration / 1_000)
    }
    this.#hub.on('gap', gap).on('close', close)
    this.#stops.push(() => this.#hub.off('gap', gap).off('close', close))
  }

  #watchEvents(): void {
    const { published, delivered, deliveryLag, brokerLag } = this.#flow
    this.#on('koa-event-stream.published', ({ topics }) => {
      published.inc({ topic: this.#kinds.of(topics) })
    })
    this.#on('koa-event-stream.arrival', ({ lag }) => {
      brokerLag.observe(lag / 1_000)
    })
    this.#on('koa-event-stream.delivery', ({ deliveries, isLive, now }) => {
      for (const { event, topics, streams } of deliveries) {
        delivered.inc({ topic: this.#kinds.of(topics) }, streams)
        if (isLive) deliveryLag.observe(Math.max(0, now - event.at) / 1_000)
      }
    })
  }

  #watchStreams(): void {
    const { firstByte, opening, behind, replayed } = this.#flow
    this.#on('koa-event-stream.first-byte', ({ duration }) => {
      firstByte.observe(duration / 1_000)
    })
    this.#on('koa-event-stream.replay', ({ kind, events, duration }) => {
      if (kind === 'behind') behind.observe(duration / 1_000)
      else opening.observe({ kind }, duration / 1_000)
      replayed.observe(events)
    })
  }

  #watchCalls(): void {
    const { publishFailed, publishing, catchUp } = this.#flow
    this.#on('tracing:koa-event-stream.publish:start', this.#begin)
    this.#on('tracing:koa-event-stream.publish:asyncEnd', message => {
      if (message.error === undefined) publishing.observe(this.#secondsOf(message))
      else publishFailed.inc({ code: codeOf(message.error) })
    })
    this.#on('tracing:koa-event-stream.catch-up:start', this.#begin)
    this.#on('tracing:koa-event-stream.catch-up:asyncEnd', message => {
      if (message.error === undefined) catchUp.observe(this.#secondsOf(message))
    })
  }

  readonly #begin = (message: { readonly hub: object }): void => {
    this.#began.set(message, performance.now())
  }

  #secondsOf(message: object): number {
    const now = performance.now()
    return (now - (this.#began.get(message) ?? now)) / 1_000
  }

  #on<Name extends keyof ChannelMessages>(name: Name, listener: (message: ChannelMessages[Name]) => void): void {
    this.#stops.push(listenTo(this.#hub, name, listener))
  }
}

function codeOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return PUBLISH_FAILURES.find(known => known === code) ?? 'other'
}
