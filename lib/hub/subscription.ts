import type { Identity } from '../auth/identity.ts'
import { checkReadTopic } from '../topic.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import { readPresence } from './presence/info.ts'

/**
 * Makes the present state of a topic as events. `signal` is aborted when nobody needs it any more.
 */
export type Snapshot<Events extends object = EventMap> = (
  signal: AbortSignal,
) =>
  | Iterable<EventInput<Events>>
  | AsyncIterable<EventInput<Events>>
  | Promise<Iterable<EventInput<Events>> | AsyncIterable<EventInput<Events>>>

/** A topic with a wish: how many of its latest events a newcomer is to get first, or its present state. */
export interface TopicRequest<Events extends object = EventMap> {
  readonly topic: string
  /** Events, 0 or more. A client that resumes gets what it missed instead. Default 0. */
  readonly replay?: number
  /**
   * Called for newcomers and after a gap, never on a resume that history serves, so that a new state is never overwritten
   * by an older replay. Default: none.
   */
  readonly snapshot?: Snapshot<Events> | undefined
  /**
   * Makes the identity of the stream present at the topic, once however many streams it has there, until the last of them
   * has ended for a while: see `hub.presence()` and `presenceOf()`. With something else than `true` that is what is said of
   * it: JSON of at most 1 KiB; of several streams of an identity the latest says it. Default `false`.
   */
  readonly presence?: unknown
}

/** A topic with a wish that has been checked. */
export interface TopicWish {
  readonly topic: string
  readonly replay: number
  readonly snapshot: Snapshot | undefined
  /** What is said of the identity that is to be present, as JSON. */
  readonly presence: string | undefined
}

/**
 * What a subscription resolver may answer:
 *
 * - topics of the hub, with or without a replay wish or a snapshot
 * - a source of its own: its events are sent as fast as the client reads them; it is returned from (`return()`) when the
 *   client leaves, and the stream ends when it is done. If it throws, or has an event that cannot be sent, the stream
 *   ends as failed (`error`), and the hub tells of a `fault`
 * - a function: the resolver writes to the stream itself, and this is called once the stream has closed. Nobody waits for
 *   it; if it fails, the hub tells of a `fault`
 * - `null`: nothing more to say. The answer is 204, which tells an EventSource to stop asking
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

/** A resolver's answer, told apart. */
export type Resolution =
  | { readonly kind: 'topics'; readonly topics: readonly TopicWish[] }
  | { readonly kind: 'source'; readonly iterator: AsyncIterator<EventInput> }
  | { readonly kind: 'cleanup'; readonly cleanup: () => void | Promise<void> }
  | { readonly kind: 'nothing' }

/** How many topics there is room for. */
export interface TopicRoom {
  /** Topics that the stream has already. */
  readonly topics: readonly string[]
  readonly maxTopics: number
  /** Whose stream it is: nobody else can be present. */
  readonly identity?: Identity | undefined
}

// A resolver that answers topics without end would stop the process.
const MAX_ANSWERS = 100_000

/**
 * Tells a resolver's answer apart, checks its topics, each kept once, and begins to iterate its source.
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
      throw new TypeError('the `presence` of a topic needs an identity: a stream without a login is nobody')
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
    throw new TypeError('the `replay` of a topic is a whole number of events, 0 or more')
  }
  if (snapshot !== undefined && typeof snapshot !== 'function') {
    throw new TypeError('the `snapshot` of a topic is a function that makes its events')
  }
  const name = checkReadTopic(topic)
  return { topic: name, replay, snapshot: snapshot as Snapshot | undefined, presence: readPresence(name, presence) }
}

function tooMany(topics: readonly string[], maxTopics: number): TypeError {
  const known = topics.length === 0 ? '' : `, with the ${String(topics.length)} that it had subscribed to itself`
  return new TypeError(
    `\`subscribe\` answered more topics than \`limits.topics\` allows a stream (${String(maxTopics)})${known}`,
  )
}

function iteratorOf(source: AsyncIterable<unknown>): AsyncIterator<EventInput> {
  let iterator: unknown
  try {
    iterator = source[Symbol.asyncIterator]()
    if (isIterator(iterator)) return iterator
  } catch (cause) {
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    throw new TypeError(`\`subscribe\` answered a source that cannot be iterated${why}`, { cause })
  }
  throw new TypeError('`subscribe` answered a source whose iterator has no `next()`')
}

function junk(what: string): TypeError {
  return new TypeError(
    `\`subscribe\` must answer topics, an async iterable, a clean-up function, null or nothing; it answered ${what}`,
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
