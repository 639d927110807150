import type { Broker } from '../broker/broker.ts'
import type { StoredEvent } from '../broker/event-log.ts'
import type { GapReason } from '../wire/frame.ts'
import type { FanOut, Receiver } from './fan-out.ts'
import { MultiMap } from './multi-map.ts'

// Of a topic's members, to find two persons: more than one identity usually may have streams.
const MEMBERS_LOOKED_AT = 64

/** A stream as its topics see it. */
export interface Member extends Receiver {
  /** Whose it is; `undefined` where that is not known. */
  readonly holder: string | undefined
  /** Is told that events of some of its topics are lost. */
  tell(topics: readonly string[], reason: GapReason): void
}

/** Which stream has which topic. The broker listens to exactly the topics that some stream has. */
export class Registry {
  readonly #broker: Broker
  readonly #fanOut: FanOut
  readonly #members = new MultiMap<string, Member>()
  // Topics that the broker has not confirmed yet, or has refused. Streams that come meanwhile share its answer.
  readonly #confirming = new Map<string, Promise<void>>()
  // The last event, and by which topics it has come so far: an engine may tell of it by one after another.
  #last: { readonly seq: number; readonly topics: string[] } = { seq: -1, topics: [] }

  constructor(broker: Broker, fanOut: FanOut) {
    this.#broker = broker
    this.#fanOut = fanOut
  }

  /** How many topics have a stream. */
  get topics(): number {
    return this.#members.size
  }

  /** Calls back with each topic that has a stream, and how many it has. */
  eachTopic(visit: (topic: string, streams: number) => void): void {
    this.#members.eachKey(visit)
  }

  /** Whether some stream has a topic, so that the broker listens to it. */
  has(topic: string): boolean {
    return this.#members.count(topic) > 0
  }

  /** Whether more than one person has a topic. Of many streams that may be one person's, some are looked at. */
  isShared(topic: string): boolean {
    let first: Member | undefined
    let looked = 0
    let isShared = false
    this.#members.some(topic, member => {
      first ??= member
      looked += 1
      isShared = member !== first && (member.holder === undefined || member.holder !== first.holder)
      return isShared || looked === MEMBERS_LOOKED_AT
    })
    return isShared
  }

  /**
   * Adds a receiver to topics.
   *
   * @returns nothing where the broker listens to all of them already, or a promise that resolves once it does
   * @throws what the broker throws. At once: the receiver has none of the topics. As a rejection: it is to leave them
   */
  join(member: Member, topics: readonly string[]): void | Promise<void> {
    try {
      for (const topic of topics) {
        if (this.#members.add(topic, member)) this.#listen(topic)
      }
    } catch (error) {
      // Whoever comes in the same turn must not take it for listened to.
      this.leave(member, topics)
      throw error
    }
    return this.confirmed(topics)
  }

  /** Answers nothing where the broker listens to all of these topics, or a promise that resolves once it does. */
  confirmed(topics: readonly string[]): void | Promise<void> {
    if (this.#confirming.size === 0) return
    const confirming = topics.flatMap(topic => this.#confirming.get(topic) ?? [])
    return Promise.all(confirming).then(() => undefined)
  }

  /** Removes a receiver from topics. */
  leave(member: Member, topics: readonly string[]): void {
    for (const topic of topics) {
      if (!this.#members.delete(topic, member)) continue
      this.#confirming.delete(topic)
      this.#broker.unsubscribe(topic)
    }
  }

  /** Hands an event to every receiver of its topics. */
  deliver(topics: readonly string[], event: StoredEvent): void {
    const all = this.#topicsOf(event, topics)
    for (const topic of topics) {
      this.#members.each(topic, receiver => {
        this.#fanOut.deliver(event, all, topic, receiver)
      })
    }
  }

  /** Tells every receiver of the topics which of its own are lost. */
  tell(topics: readonly string[], reason: GapReason): void {
    // In another life of the log the same number is another event.
    if (reason === 'epoch') this.#last = { seq: -1, topics: [] }
    const lost = new Map<Member, string[]>()
    for (const topic of topics) {
      this.#members.each(topic, receiver => {
        const known = lost.get(receiver)
        if (known === undefined) lost.set(receiver, [topic])
        else known.push(topic)
      })
    }
    for (const [receiver, own] of lost) receiver.tell(own, reason)
  }

  #listen(topic: string): void {
    const confirmed = this.#broker.subscribe(topic)
    if (confirmed === undefined) return
    const confirming = confirmed.then(() => {
      if (this.#confirming.get(topic) === confirming) this.#confirming.delete(topic)
    })
    // Whoever waits hears of a failure; with nobody waiting any more it is no news.
    confirming.catch(() => undefined)
    this.#confirming.set(topic, confirming)
  }

  // What has come by one topic is on its way to streams that have it by another as well, and may lose the first.
  #topicsOf({ seq }: StoredEvent, topics: readonly string[]): readonly string[] {
    if (this.#last.seq === seq) this.#last.topics.push(...topics)
    else this.#last = { seq, topics: [...topics] }
    return this.#last.topics
  }
}
