import type { Identity } from '../auth/identity.ts'
import { checkReadTopic } from '../topic.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import { readPresence } from './presence/info.ts'

/**
 * Returns the current state of a topic as events. `signal` is aborted when the state is no longer needed.
 */
export type Snapshot<Events extends object = EventMap> = (
  signal: AbortSignal,
) =>
  | Iterable<EventInput<Events>>
  | AsyncIterable<EventInput<Events>>
  | Promise<Iterable<EventInput<Events>> | AsyncIterable<EventInput<Events>>>

/** A topic with options: how many of its latest events a new client gets first, or its current state. */
export interface TopicRequest<Events extends object = EventMap> {
  readonly topic: string
  /** The number of events, 0 or more. A client that resumes gets the events it missed instead. Default 0. */
  readonly replay?: number
  /**
   * Called for new clients and after a gap, never on a resume without loss, so that a new state is never overwritten by
   * an older replay. Default: none.
   */
  readonly snapshot?: Snapshot<Events> | undefined
  /**
   * Makes the stream's identity present at the topic, counted once for all of its streams there, until a grace period
   * after the last of them has ended: see `hub.presence()` and `presenceOf()`. `true`, or info about the identity: JSON
   * of at most 1 KiB; of several streams the latest one's info counts. Default `false`.
   */
  readonly presence?: unknown
}

/** A checked `TopicRequest`. */
export interface TopicWish {
  readonly topic: string
  readonly replay: number
  readonly snapshot: Snapshot | undefined
  /** Info about the identity, as JSON; `undefined` if it is not to be present. */
  readonly presence: string | undefined
}

/**
 * What a subscription resolver may return:
 *
 * - topics of the hub, with or without a replay or a snapshot
 * - a source: its events are sent as fast as the client reads them. When the client leaves, its iterator's `return()`
 *   is called; when the source is done, the stream ends. If it throws, or yields an event that cannot be sent, the
 *   stream ends with `error` and the hub emits `fault`
 * - a function: the resolver writes to the stream itself, and the function is called once the stream has closed. It is
 *   not waited for; if it fails, the hub emits `fault`
 * - `null`: no content. The response is 204, which makes an EventSource stop reconnecting
 * - nothing: the resolver keeps the stream and writes to it
 */
export type Subscription<Events extends object = EventMap> =
  | string
  | TopicRequest<Events>
  | Iterable<string | TopicRequest<Events>>
  | AsyncIterable<EventInput<Events>>
  | (() => void | Promise<void>)
  | null
  | void

/** A resolver's result, by kind. */
export type Resolution =
  | { readonly kind: 'topics'; readonly topics: readonly TopicWish[] }
  | { readonly kind: 'source'; readonly iterator: AsyncIterator<EventInput> }
  | { readonly kind: 'cleanup'; readonly cleanup: () => void | Promise<void> }
  | { readonly kind: 'nothing' }

/** The stream that topics are checked for. */
export interface TopicRoom {
  /** Topics that the stream already has. */
  readonly topics: readonly string[]
  readonly maxTopics: number
  /** The stream's identity, required for `presence`. */
  readonly identity?: Identity | undefined
}

// An endless iterable of repeated topics would block the process.
const MAX_ANSWERS = 100_000

/**
 * Determines the kind of a resolver's result, checks its topics, without duplicates, and gets the iterator of a source.
 *
 * @throws {TypeError} for anything that is not a subscription, for too many topics, and for a source that cannot be
 *   iterated, such as a locked `ReadableStream`
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function readSubscription(answer: unknown, room: TopicRoom): Resolution {
  if (answer === undefined) return { kind: 'topics', topics: [] }
  if (answer === null) return { kind: 'nothing' }
  if (typeof answer === 'string') return { kind: 'topics', topics: readTopics([answer], room) }
  if (isFunction(answer)) return { kind: 'cleanup', cleanup: answer }
  if (typeof answer !== 'object') throw junk(`a ${typeof answer}`)
  if (isAsyncIterable(answer)) return { kind: 'source', iterator: iteratorOf(answer) }
  if (isIterable(answer)) return { kind: 'topics', topics: readTopics(answer, room) }
  if ('topic' in answer) return { kind: 'topics', topics: readTopics([answer], room) }
  throw junk('an object that is none of these')
}

function readTopics(answers: Iterable<unknown>, { topics, maxTopics, identity }: TopicRoom): TopicWish[] {
  const requests = new Map<string, TopicWish>()
  const all = new Set(topics)
  let count = 0
  for (const answer of answers) {
    const request = readTopic(answer)
    if (request.presence !== undefined && identity === undefined) {
      throw new TypeError('the `presence` of a topic needs an identity, but the stream has none')
    }
    requests.set(request.topic, request)
    all.add(request.topic)
    count += 1
    if (all.size > maxTopics || count > MAX_ANSWERS) throw tooMany(topics, maxTopics)
  }
  return [...requests.values()]
}

function readTopic(answer: unknown): TopicWish {
  if (typeof answer !== 'object' || answer === null) {
    return { topic: checkReadTopic(answer), replay: 0, snapshot: undefined, presence: undefined }
  }
  const { topic, replay = 0, snapshot, presence } = answer as Partial<Record<keyof TopicRequest, unknown>>
  if (typeof replay !== 'number' || !Number.isSafeInteger(replay) || replay < 0) {
    throw new TypeError('the `replay` of a topic must be a whole number of events, 0 or more')
  }
  if (snapshot !== undefined && typeof snapshot !== 'function') {
    throw new TypeError('the `snapshot` of a topic must be a function that returns events')
  }
  const name = checkReadTopic(topic)
  return { topic: name, replay, snapshot: snapshot as Snapshot | undefined, presence: readPresence(name, presence) }
}

function tooMany(topics: readonly string[], maxTopics: number): TypeError {
  const known = topics.length === 0 ? '' : `, including the ${String(topics.length)} it had already subscribed to`
  return new TypeError(
    `\`subscribe\` returned more topics than \`limits.topics\` allows a stream (${String(maxTopics)})${known}`,
  )
}

function iteratorOf(source: AsyncIterable<unknown>): AsyncIterator<EventInput> {
  let iterator: unknown
  try {
    iterator = source[Symbol.asyncIterator]()
    if (isIterator(iterator)) return iterator
  } catch (cause) {
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    throw new TypeError(`\`subscribe\` returned a source that cannot be iterated${why}`, { cause })
  }
  throw new TypeError('`subscribe` returned a source whose iterator has no `next()`')
}

function junk(what: string): TypeError {
  return new TypeError(
    `\`subscribe\` must return topics, an async iterable, a clean-up function, null or nothing; it returned ${what}`,
  )
}

function isFunction(value: unknown): value is () => void | Promise<void> {
  return typeof value === 'function'
}

function isAsyncIterable(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value
}

function isIterator(value: unknown): value is AsyncIterator<EventInput> {
  return typeof value === 'object' && value !== null && 'next' in value && typeof value.next === 'function'
}
