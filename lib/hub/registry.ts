import type { Broker } from '../broker/broker.ts'
import type { StoredEvent } from '../broker/event-log.ts'
import type { GapReason } from '../wire/frame.ts'
import type { FanOut, Receiver } from './fan-out.ts'
import { MultiMap } from './multi-map.ts'

// How many members of a topic `isShared` examines: more than the streams that one identity usually may have.
const MEMBERS_EXAMINED = 64

/** A stream as a member of its topics. */
export interface Member extends Receiver {
  /** The id of its identity; `undefined` without one. */
  readonly holder: string | undefined
  /** Events of some of its topics are lost. */
  tell(topics: readonly string[], reason: GapReason): void
}

/** The streams of each topic. The broker is subscribed to exactly the topics that have streams. */
export class Registry {
  readonly #broker: Broker
  readonly #fanOut: FanOut
  readonly #members = new MultiMap<string, Member>()
  // Topics whose subscription the broker has not confirmed yet, or has refused. Further streams share the promise.
  readonly #confirming = new Map<string, Promise<void>>()
  // The last event and the topics it has arrived by so far: an engine may deliver it topic by topic.
  #last: { readonly seq: number; readonly topics: string[] } = { seq: -1, topics: [] }

  constructor(broker: Broker, fanOut: FanOut) {
    this.#broker = broker
    this.#fanOut = fanOut
  }

  /** The number of topics with a stream. */
  get topics(): number {
    return this.#members.size
  }

  /** Calls back with each topic that has streams, and their number. */
  eachTopic(visit: (topic: string, streams: number) => void): void {
    this.#members.eachKey(visit)
  }

  /** Whether some stream has the topic, so that the broker is subscribed to it. */
  has(topic: string): boolean {
    return this.#members.count(topic) > 0
  }

  /** Whether streams of more than one identity have the topic. Examines at most 64 of them. */
  isShared(topic: string): boolean {
    let first: Member | undefined
    let examined = 0
    let isShared = false
    this.#members.some(topic, member => {
      first ??= member
      examined += 1
      isShared = member !== first && (member.holder === undefined || member.holder !== first.holder)
      return isShared || examined === MEMBERS_EXAMINED
    })
    return isShared
  }

  /**
   * Adds a stream to topics.
   *
   * @returns nothing if the broker is subscribed to all of them already, or a promise that resolves once it is
   * @throws what the broker throws. If synchronously, the stream has none of the topics; if as a rejection, the caller
   *   must call `leave`
   */
  join(member: Member, topics: readonly string[]): void | Promise<void> {
    try {
      for (const topic of topics) {
        if (this.#members.add(topic, member)) this.#listen(topic)
      }
    } catch (error) {
      // Otherwise another stream of the topic would take it for subscribed.
      this.leave(member, topics)
      throw error
    }
    return this.confirmed(topics)
  }

  /** Returns nothing if the broker is subscribed to all of these topics, or a promise that resolves once it is. */
  confirmed(topics: readonly string[]): void | Promise<void> {
    if (this.#confirming.size === 0) return
    const confirming = topics.flatMap(topic => this.#confirming.get(topic) ?? [])
    return Promise.all(confirming).then(() => undefined)
  }

  /** Removes a stream from topics. */
  leave(member: Member, topics: readonly string[]): void {
    for (const topic of topics) {
      if (!this.#members.delete(topic, member)) continue
      this.#confirming.delete(topic)
      this.#broker.unsubscribe(topic)
    }
  }

  /** Delivers an event to every stream of its topics. */
  deliver(topics: readonly string[], event: StoredEvent): void {
    const all = this.#topicsOf(event, topics)
    for (const topic of topics) {
      this.#members.each(topic, receiver => {
        this.#fanOut.deliver(event, all, topic, receiver)
      })
    }
  }

  /** Tells every stream of the topics which of its topics have lost events. */
  tell(topics: readonly string[], reason: GapReason): void {
    // In a new epoch the same number is another event.
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
    // Callers of `confirmed` get the error; without callers it does not matter.
    confirming.catch(() => undefined)
    this.#confirming.set(topic, confirming)
  }

  // Includes the topics the event arrived by earlier: a stream with several of them may lose one before it is written.
  #topicsOf({ seq }: StoredEvent, topics: readonly string[]): readonly string[] {
    if (this.#last.seq === seq) this.#last.topics.push(...topics)
    else this.#last = { seq, topics: [...topics] }
    return this.#last.topics
  }
}
