import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  ARRIVAL,
  CATCH_UP,
  DELIVERY,
  FIRST_BYTE,
  PUBLISH,
  REPLAY,
  type ArrivalMessage,
  type CatchUpMessage,
  type DeliveryMessage,
  type FirstByteMessage,
  type PublishMessage,
  type ReplayMessage,
} from '../diagnostics.ts'
import type { Hub } from '../hub/hub.ts'
import type { HubEvents } from '../hub/lifecycle.ts'
import { PUBLISH_FAILURES, type Flow } from './flow.ts'
import type { TopicKinds } from './topic-kinds.ts'

type Channel = Parameters<typeof subscribe>[0]
type Listener = Parameters<typeof subscribe>[1]

/** Has what a hub tells measured, until it is stopped. */
export class Observer {
  readonly #hub: Hub
  readonly #flow: Flow
  readonly #kinds: TopicKinds
  // When calls that are under way began.
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
    const { delivered, deliveryLag, brokerLag } = this.#flow
    this.#on(ARRIVAL.name, ({ lag }: ArrivalMessage) => {
      brokerLag.observe(lag / 1_000)
    })
    this.#on(DELIVERY.name, ({ deliveries, isLive, now }: DeliveryMessage) => {
      for (const { event, topics, streams } of deliveries) {
        delivered.inc({ topic: this.#kinds.of(topics) }, streams)
        if (isLive) deliveryLag.observe(Math.max(0, now - event.at) / 1_000)
      }
    })
  }

  #watchStreams(): void {
    const { firstByte, opening, behind, replayed } = this.#flow
    this.#on(FIRST_BYTE.name, ({ duration }: FirstByteMessage) => {
      firstByte.observe(duration / 1_000)
    })
    this.#on(REPLAY.name, ({ kind, events, duration }: ReplayMessage) => {
      if (kind === 'behind') behind.observe(duration / 1_000)
      else opening.observe({ kind }, duration / 1_000)
      replayed.observe(events)
    })
  }

  #watchCalls(): void {
    const { published, publishFailed, publishing, catchUp } = this.#flow
    this.#on(PUBLISH.start.name, this.#begin)
    this.#on(PUBLISH.asyncEnd.name, (message: PublishMessage) => {
      if (message.error === undefined) {
        published.inc({ topic: this.#kinds.of(listOf(message.topics)) })
        publishing.observe(this.#secondsOf(message))
      } else publishFailed.inc({ code: codeOf(message.error) })
    })
    this.#on(CATCH_UP.start.name, this.#begin)
    this.#on(CATCH_UP.asyncEnd.name, (message: CatchUpMessage) => {
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

  // A channel is that of all hubs of the process.
  #on<Message extends { readonly hub: object }>(channel: Channel, listener: (message: Message) => void): void {
    const own: Listener = message => {
      if ((message as Message).hub === this.#hub) listener(message as Message)
    }
    subscribe(channel, own)
    this.#stops.push(() => unsubscribe(channel, own))
  }
}

function listOf(topics: string | readonly string[]): readonly string[] {
  return typeof topics === 'string' ? [topics] : [...topics]
}

function codeOf(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return PUBLISH_FAILURES.find(known => known === code) ?? 'other'
}
