import { checkTopic } from '../topic.ts'
import type { EventInput, EventMap } from '../wire/event.ts'

/** A topic with a wish: how many of its latest events a newcomer is to get first. */
export interface TopicRequest {
  readonly topic: string
  /** Events, 0 or more. A client that resumes gets what it missed instead. Default 0. */
  readonly replay?: number
}

/**
 * What a subscription resolver may answer:
 *
 * - topics of the hub, with or without a replay wish
 * - a source of its own: its events are sent as fast as the client reads them; it is returned from (`return()`) when the
 *   client leaves, and the stream ends when it is done
 * - a function: the resolver writes to the stream itself, and this is called once the stream has closed
 * - `null`: nothing more to say. The answer is 204, which tells an EventSource to stop asking
 * - nothing: the resolver keeps the stream and writes to it
 */
export type Subscription<Events extends object = EventMap> =
  | string
  | TopicRequest
  | Iterable<string | TopicRequest>
  | AsyncIterable<EventInput<Events>>
  | (() => void | Promise<void>)
  | null
  | void

/** A resolver's answer, told apart. */
export type Resolution =
  | { readonly kind: 'topics'; readonly topics: readonly Required<TopicRequest>[] }
  | { readonly kind: 'source'; readonly source: AsyncIterable<EventInput> }
  | { readonly kind: 'cleanup'; readonly cleanup: () => void | Promise<void> }
  | { readonly kind: 'nothing' }

/**
 * Tells a resolver's answer apart and checks its topics, each kept once.
 *
 * @throws {TypeError} for anything that is not a subscription
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function readSubscription(answer: unknown, maxTopics: number): Resolution {
  if (answer === undefined) return { kind: 'topics', topics: [] }
  if (answer === null) return { kind: 'nothing' }
  if (typeof answer === 'string') return { kind: 'topics', topics: [readTopic(answer)] }
  if (isFunction(answer)) return { kind: 'cleanup', cleanup: answer }
  if (typeof answer !== 'object') throw junk(typeof answer)
  if (isAsyncIterable(answer)) return { kind: 'source', source: answer }
  if (isIterable(answer)) return { kind: 'topics', topics: readTopics(answer, maxTopics) }
  if ('topic' in answer) return { kind: 'topics', topics: [readTopic(answer)] }
  throw junk('an object that is neither')
}

function readTopics(answers: Iterable<unknown>, maxTopics: number): Required<TopicRequest>[] {
  const topics = new Map<string, Required<TopicRequest>>()
  for (const answer of answers) {
    const request = readTopic(answer)
    topics.set(request.topic, request)
    if (topics.size > maxTopics) throw new TypeError(`\`subscribe\` answered more than ${String(maxTopics)} topics`)
  }
  return [...topics.values()]
}

function readTopic(answer: unknown): Required<TopicRequest> {
  if (typeof answer !== 'object' || answer === null) return { topic: checkTopic(answer), replay: 0 }
  const { topic, replay = 0 } = answer as { topic?: unknown; replay?: unknown }
  if (typeof replay !== 'number' || !Number.isSafeInteger(replay) || replay < 0) {
    throw new TypeError('the `replay` of a topic is a whole number of events, 0 or more')
  }
  return { topic: checkTopic(topic), replay }
}

function junk(what: string): TypeError {
  return new TypeError(
    `\`subscribe\` must answer topics, an async iterable, a clean-up function, null or nothing; it answered ${what}`,
  )
}

function isFunction(value: unknown): value is () => void | Promise<void> {
  return typeof value === 'function'
}

function isAsyncIterable(value: object): value is AsyncIterable<EventInput> {
  return Symbol.asyncIterator in value
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value
}
