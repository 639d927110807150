import { duration, invalid, knownKeys, text } from '../options.ts'
import { checkReadTopic } from '../topic.ts'

/** Selects the streams whose topics change. All given fields must match. */
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
  /** Milliseconds to wait for the answers of other instances. Default 2,000. */
  readonly within?: number
}

/** The outcome of a change of topics. */
export interface SubscriptionOutcome {
  /** The number of streams that now have the topics, or no longer have them, on the instances that have answered. */
  readonly streams: number
  /**
   * The cursor from which the change applies: events published after it reach these streams, or no longer do. State
   * loaded now, followed by the events after the cursor, misses nothing. Empty while this instance has not seen the log
   * yet.
   */
  readonly since: string
  /** Whether all living instances have answered in time. */
  readonly complete: boolean
}

/** A checked change. */
export interface CheckedChange {
  readonly filter: SubscriptionFilter
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** The id up to which the client has seen the added topics. */
  readonly seen: string
  readonly within: number
}

/** Default milliseconds to wait for the answers of other instances. */
export const DEFAULT_WITHIN = 2_000
/** The most topics of one change. */
export const MAX_TOPICS = 100
/** The longest `id` or key in a filter, in UTF-16 units: a change is sent to all instances. */
const MAX_LENGTH = 1_024

const KEYS = ['stream', 'identity', 'session'] as const

/**
 * @param what the name of the called method, for messages
 * @throws {TypeError} for an invalid filter, no topics or too many
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
  if (topics.length > MAX_TOPICS) throw new TypeError(`one call may change at most ${String(MAX_TOPICS)} topics`)
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
  throw new TypeError(`\`${key}\` must not be longer than ${String(MAX_LENGTH)} characters`)
}
