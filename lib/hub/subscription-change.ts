import { duration, invalid, knownKeys, text } from '../options.ts'
import { checkReadTopic } from '../topic.ts'

/** Which streams get topics, or lose them. All that is given must fit. */
export interface SubscriptionFilter {
  /** The `id` of a stream. */
  readonly stream?: string
  /** The `id` of an identity. */
  readonly identity?: string
  /** The key of a session in its store. */
  readonly session?: string
}

/** Options of `hub.subscribe()` and `hub.unsubscribe()`. */
export interface SubscriptionOptions {
  /** Milliseconds that other instances have for their answers. Default 2,000. */
  readonly within?: number
}

/** What has come of a change of topics. */
export interface SubscriptionOutcome {
  /** How many streams have the topics now, or have them no more, of those instances that have answered. */
  readonly streams: number
  /**
   * A cursor from which on the change stands: whatever is published behind it reaches these streams, or does not any more.
   * What is loaded now joins without a seam. Empty while this instance has not seen the log yet.
   */
  readonly since: string
  /** Whether all instances that live have answered in time. */
  readonly complete: boolean
}

/** A change, checked. */
export interface CheckedChange {
  readonly filter: SubscriptionFilter
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** The id up to which the client has seen the topics that it gets. */
  readonly seen: string
  readonly within: number
}

/** Milliseconds that instances have for their answers, unless told otherwise. */
export const DEFAULT_WITHIN = 2_000
/** The most topics of one change. */
export const MAX_TOPICS = 100
/** The longest `id` or key that is looked for: the words of one change go to all instances. */
const MAX_LENGTH = 1_024

const KEYS = ['stream', 'identity', 'session'] as const

/**
 * @param what the method that is called, for the message
 * @throws {TypeError} for a filter that is none, for no topics and for too many
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`
 */
export function checkChange(
  what: 'subscribe' | 'unsubscribe',
  filter: SubscriptionFilter,
  topics: string | readonly string[],
  options: SubscriptionOptions = {},
): CheckedChange {
  knownKeys('options', options, ['within'])
  const list = checkTopics(typeof topics === 'string' ? [topics] : topics)
  if (list.length === 0) throw new TypeError(`${what} needs a topic`)
  return {
    filter: checkFilter(what, filter),
    subscribe: what === 'subscribe' ? list : [],
    unsubscribe: what === 'unsubscribe' ? list : [],
    seen: '',
    within: duration('within', options.within, { default: DEFAULT_WITHIN }),
  }
}

/** @throws as `checkChange` does */
export function checkTopics(topics: unknown): string[] {
  if (!Array.isArray(topics)) throw invalid('topics', 'a topic or a list of topics', topics)
  if (topics.length > MAX_TOPICS) throw new TypeError(`at most ${String(MAX_TOPICS)} topics are changed at once`)
  return [...new Set(topics.map(checkReadTopic))]
}

function checkFilter(what: string, filter: SubscriptionFilter): SubscriptionFilter {
  knownKeys('filter', filter, KEYS)
  const given = KEYS.flatMap(key => {
    const value = filter[key]
    return value === undefined ? [] : [[key, checkName(key, value)] as const]
  })
  if (given.length === 0) throw new TypeError(`${what} needs a \`stream\`, an \`identity\` or a \`session\``)
  return Object.fromEntries(given)
}

function checkName(key: string, value: string): string {
  if (text(key, value).length <= MAX_LENGTH) return value
  throw new TypeError(`\`${key}\` has at most ${String(MAX_LENGTH)} characters`)
}
