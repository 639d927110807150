import type { AnswerMessage, Broker, SubscriptionsMessage } from '../broker/broker.ts'
import type { Clock } from '../clock.ts'
import { formatPosition, parseCursor } from '../wire/cursor.ts'
import { Question } from './question.ts'
import type { CheckedChange, SubscriptionFilter, SubscriptionOutcome } from './subscription-change.ts'
import type { StreamInfo } from './lifecycle.ts'
import type { Subscriber } from './subscriber.ts'
import { SubscriptionsUse } from './subscriptions-use.ts'
import { KEPT_FOR, takes, Withdrawals, type Mark } from './withdrawals.ts'

/** What this needs of the hub. */
export interface SubscriptionsHub {
  readonly broker: Broker
  readonly clock: Clock
  readonly instances: { readonly id: string; all(): Promise<readonly string[]> }
  find(filter: SubscriptionFilter): readonly Subscriber[]
  all(): readonly Subscriber[]
  failed(during: string, error: unknown, stream?: StreamInfo): void
}

/** The outcome of a change, with a count for the subscription route. */
export interface ChangeOutcome extends SubscriptionOutcome {
  /** Streams that were found but did not get the topics. */
  readonly refused: number
}

/** The result on one instance. */
interface Answer {
  /** The number of its streams in the requested state. */
  readonly streams: number
  /** The number of its streams that should be, but are not. */
  readonly refused: number
}

/** The moment at which the decision about a change began. */
export interface Decision {
  readonly mark: Mark
  /** By the monotonic clock. */
  readonly at: number
}

// Milliseconds. For an older decision, instances may have forgotten removals made since.
const LONGEST_DECISION = KEPT_FOR / 2

const OUTDATED: ChangeOutcome = Object.freeze({ streams: 0, since: '', complete: false, refused: 1 })

/**
 * Changes the topics of open streams, on any instance. All instances receive the changes in the same order and apply
 * them in that order, so that they agree. The requesting instance also applies removals immediately.
 */
export class Subscriptions {
  readonly #hub: SubscriptionsHub
  readonly #withdrawals: Withdrawals
  readonly #use: SubscriptionsUse
  readonly #questions = new Map<string, Question<Answer>>()
  // Removals of this instance that it has announced but not received yet: changes received before them are ordered
  // before them.
  readonly #leaving = new Set<SubscriptionsMessage>()

  constructor(hub: SubscriptionsHub) {
    this.#hub = hub
    this.#withdrawals = new Withdrawals(hub.clock)
    this.#use = new SubscriptionsUse(hub)
  }

  /** Marks the start of a decision, so that a change based on it does not undo a removal made meanwhile. */
  decide(): Decision {
    return { mark: this.#withdrawals.mark, at: this.#hub.clock.monotonic() }
  }

  /** @throws {EventStreamError} `ERR_BROKER`, as a rejection: removals are applied on this instance all the same */
  async change(change: CheckedChange, decision?: Decision): Promise<ChangeOutcome> {
    const { filter, subscribe, unsubscribe, seen, within } = change
    const { broker, clock, instances } = this.#hub
    const age = decision === undefined ? 0 : Math.ceil(clock.monotonic() - decision.at)
    if (age > LONGEST_DECISION) return OUTDATED
    const question = clock.id()
    // The caller knows of its own earlier removals.
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
    // Only one instance can have the stream.
    const asked = new Question<Answer>(
      instances.id,
      ({ streams, refused }) => filter.stream !== undefined && streams + refused > 0,
    )
    this.#questions.set(question, asked)
    try {
      if (unsubscribe.length > 0) {
        this.#leaving.add(message)
        // Remove locally first: this must work while the broker is down.
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

  /** Handles a control message. */
  hear(message: SubscriptionsMessage | AnswerMessage): void {
    if (message.type === 'answer') {
      this.#questions.get(message.question)?.hear(message.instance, message)
      return
    }
    this.#use.heard()
    for (const own of this.#leaving) if (own.question === message.question) this.#leaving.delete(own)
    void this.#apply(message).then(answer => {
      this.#answer(message.question, answer)
    })
  }

  /**
   * Removals may have been missed. If the application makes changes at all, streams end, and the resolvers decide again
   * when clients reconnect.
   */
  missed(): void {
    this.#withdrawals.missed()
    this.#use.missed()
  }

  close(): void {
    this.#use.close()
    for (const question of this.#questions.values()) question.close()
  }

  async #apply(message: SubscriptionsMessage): Promise<Answer> {
    const { subscribe, unsubscribe } = message
    const subscribers = this.#find(message)
    // Before `add`: a message must not bar its own additions.
    const barred = subscribers.filter(subscriber => this.#isBarred(subscriber, message))
    // A duplicate must not remove topics that were added again since.
    if (unsubscribe.length > 0 && this.#withdrawals.add(message)) {
      for (const subscriber of subscribers) subscriber.withdraw(unsubscribe)
    }
    if (subscribe.length === 0) return { streams: subscribers.length, refused: 0 }
    const able = subscribers.filter(subscriber => !barred.includes(subscriber))
    const granted = await Promise.all(able.map(subscriber => this.#grant(subscriber, message)))
    const streams = granted.filter(isGranted => isGranted).length
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
