import type { AnswerMessage, Broker, SubscriptionsMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { formatPosition, parseCursor } from '../wire/cursor.ts'
import { Question } from './question.ts'
import type { CheckedChange, SubscriptionFilter, SubscriptionOutcome } from './subscription-change.ts'
import type { StreamInfo } from './lifecycle.ts'
import type { Subscriber } from './subscriber.ts'
import { SubscriptionsUse } from './subscriptions-use.ts'
import { KEPT_FOR, takes, Withdrawals, type Mark } from './withdrawals.ts'

/** What changes of topics need of the hub. */
export interface SubscriptionsHub {
  readonly broker: Broker
  readonly clock: Clock
  readonly instances: { readonly id: string; all(): Promise<readonly string[]> }
  find(filter: SubscriptionFilter): readonly Subscriber[]
  all(): readonly Subscriber[]
  failed(during: string, error: unknown, stream?: StreamInfo): void
}

/** What has come of a change, with what its route has to tell. */
export interface ChangeOutcome extends SubscriptionOutcome {
  /** Streams that were found and did not get the topics. */
  readonly refused: number
}

/** What an instance says of its streams. */
interface Answer {
  /** How many of them stand as was asked for. */
  readonly streams: number
  /** How many should, and do not. */
  readonly refused: number
}

/** When it was begun to find out whether a change may be made. */
export interface Decision {
  readonly mark: Mark
  /** By the monotonic clock. */
  readonly at: number
}

// Milliseconds. Of what is older, instances may have forgotten what was taken away since.
const LONGEST_DECISION = KEPT_FOR / 2

const OUTDATED: ChangeOutcome = Object.freeze({ streams: 0, since: '', complete: false, refused: 1 })

/**
 * Topics of streams that live, on whatever instance. All instances hear of changes in the same order and make them in that
 * order, so that they agree. What takes topics away is also made at once by the instance that is asked for it.
 */
export class Subscriptions {
  readonly #hub: SubscriptionsHub
  readonly #withdrawals: Withdrawals
  readonly #use: SubscriptionsUse
  readonly #questions = new Map<string, Question<Answer>>()
  // Our own that take topics away and have not come back yet: whatever comes before them was ordered before them.
  readonly #leaving = new Set<SubscriptionsMessage>()

  constructor(hub: SubscriptionsHub) {
    this.#hub = hub
    this.#withdrawals = new Withdrawals(hub.clock)
    this.#use = new SubscriptionsUse(hub)
  }

  /** The moment of a decision that begins now: a change by it must not bring back what is taken away meanwhile. */
  decide(): Decision {
    return { mark: this.#withdrawals.mark, at: this.#hub.clock.monotonic() }
  }

  /** @throws {EventStreamError} `ERR_BROKER`; what takes topics away is made here all the same */
  async change(change: CheckedChange, decision?: Decision): Promise<ChangeOutcome> {
    const { filter, subscribe, unsubscribe, seen, within } = change
    const { broker, clock, instances } = this.#hub
    const age = decision === undefined ? 0 : Math.ceil(clock.monotonic() - decision.at)
    if (age > LONGEST_DECISION) return OUTDATED
    const question = clock.id()
    // What the same caller has taken away before is no news to him.
    const decided = decision?.mark ?? [...this.#leaving].at(-1)?.question ?? this.#withdrawals.mark
    const message: SubscriptionsMessage = {
      type: 'subscriptions',
      question,
      ...filter,
      subscribe,
      unsubscribe,
      decided,
      age,
      seen,
    }
    // Only one instance can have a stream.
    const asked = new Question<Answer>(
      instances.id,
      ({ streams, refused }) => filter.stream !== undefined && streams + refused > 0,
    )
    this.#questions.set(question, asked)
    try {
      if (unsubscribe.length > 0) {
        this.#leaving.add(message)
        // This instance must not depend on a broker that may be down just now.
        for (const subscriber of this.#find(filter)) subscriber.withdraw(unsubscribe)
      }
      await this.#use.begin()
      await broker.announce(message)
      const complete = await asked.isComplete(clock, within, instances.all())
      const { epoch, seq } = await broker.look()
      return { ...sumOf(asked.answers.values()), since: epoch === '' ? '' : formatPosition(epoch, seq), complete }
    } finally {
      this.#questions.delete(question)
      this.#leaving.delete(message)
    }
  }

  // What the broker says.

  hear(message: SubscriptionsMessage | AnswerMessage): void {
    if (message.type === 'answer') {
      this.#questions.get(message.question)?.hear(message.instance, message)
      return
    }
    this.#use.heard()
    for (const own of this.#leaving) if (own.question === message.question) this.#leaving.delete(own)
    void this.#make(message).then(answer => {
      this.#answer(message.question, answer)
    })
  }

  /**
   * Rights may have been taken away without anybody here having heard of it: where there may be such, streams end, and
   * resolvers decide anew.
   */
  missed(): void {
    this.#withdrawals.missed()
    this.#use.missed()
  }

  close(): void {
    this.#use.close()
    for (const question of this.#questions.values()) question.close()
  }

  async #make(message: SubscriptionsMessage): Promise<Answer> {
    const { subscribe, unsubscribe } = message
    const subscribers = this.#find(message)
    // Made before it is remembered: it takes from nobody what it gives.
    const barred = subscribers.filter(subscriber => this.#isBarred(subscriber, message))
    // One that comes again takes nothing away that has been given back since.
    if (unsubscribe.length > 0 && this.#withdrawals.add(message)) {
      for (const subscriber of subscribers) subscriber.withdraw(unsubscribe)
    }
    if (subscribe.length === 0) return { streams: subscribers.length, refused: 0 }
    const able = subscribers.filter(subscriber => !barred.includes(subscriber))
    const made = await Promise.all(able.map(subscriber => this.#grant(subscriber, message)))
    const streams = made.filter(is => is).length
    return { streams, refused: subscribers.length - streams }
  }

  #isBarred(subscriber: Subscriber, message: SubscriptionsMessage): boolean {
    if ([...this.#leaving].some(own => takes(own, subscriber, message.subscribe))) return true
    return this.#withdrawals.concerns(subscriber, message)
  }

  async #grant(subscriber: Subscriber, { subscribe, seen }: SubscriptionsMessage): Promise<boolean> {
    const { stream } = subscriber
    try {
      await subscriber.grant(subscribe, parseCursor(seen))
      return stream.closeReason === undefined
    } catch (error) {
      if (stream.closeReason === undefined) this.#hub.failed('hub.subscribe', error, stream)
      return false
    }
  }

  #answer(question: string, answer: Answer): void {
    const { broker, instances } = this.#hub
    const instance = instances.id
    const own = this.#questions.get(question)
    if (own !== undefined) {
      own.hear(instance, answer)
      return
    }
    broker.announce({ type: 'answer', question, instance, ...answer }).catch((error: unknown) => {
      this.#hub.failed('hub.subscribe', error)
    })
  }

  #find(filter: SubscriptionFilter): Subscriber[] {
    return this.#hub.find(filter).filter(({ stream, takesTopics }) => stream.closeReason === undefined && takesTopics)
  }
}

function sumOf(answers: Iterable<Answer>): Answer {
  let [streams, refused] = [0, 0]
  for (const answer of answers) {
    streams += answer.streams
    refused += answer.refused
  }
  return { streams, refused }
}
