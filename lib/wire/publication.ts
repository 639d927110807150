import type { Buffer } from 'node:buffer'
import { EventStreamError } from '../errors.ts'
import { checkTopic } from '../topic.ts'
import { checkEvent, type EventInput, type Redact } from './event.ts'
import { encodeBody, encodeEvent } from './frame.ts'
import { checkPublishOptions, type PublishNotes, type PublishOptions } from './publish-options.ts'

/** The default limit of an event, in bytes on the wire, without its id. */
export const DEFAULT_MAX_EVENT_BYTES = 262_144

/** The most topics of one publish: a log handles nothing else during an append. */
export const MAX_PUBLISH_TOPICS = 1_000

/** Limits and rules for every event. */
export interface EventRules {
  /** The largest event in bytes on the wire, without its id. */
  readonly maxEventBytes: number
  readonly redact: Redact | undefined
}

/** An event to be appended to the log. */
export interface Publication {
  /** One or more, without duplicates. */
  readonly topics: readonly string[]
  /** The event's lines without its `id:`. */
  readonly body: Buffer
  readonly notes: PublishNotes
}

/**
 * Checks and encodes the arguments of `publish(topics, event, options)`.
 *
 * @throws {TypeError} for an invalid option
 * @throws {EventStreamError} `ERR_TOPIC_INVALID`, `ERR_EVENT_INVALID`, `ERR_EVENT_TOO_LARGE`
 */
export function encodePublication(
  topics: string | readonly string[],
  event: EventInput,
  { maxEventBytes, redact }: EventRules,
  options: PublishOptions = {},
): Publication {
  const notes = checkPublishOptions(options)
  const list = checkTopics(topics)
  const checked = checkEvent(event, redact)
  if (checked.id !== undefined) {
    throw new EventStreamError('ERR_EVENT_INVALID', 'a published event gets its id from the log: omit `id`')
  }
  const body = encodeBody(checked)
  checkSize(body, maxEventBytes)
  return { topics: list, body, notes }
}

/** An event for one stream only, not in the log. */
export interface OwnEvent {
  readonly frame: Buffer
  /** Whether it has an id of its own. */
  readonly hasId: boolean
}

/**
 * Checks and encodes an event for one stream alone.
 *
 * @param hasTopics whether the stream has topics: the ids are its cursor then
 * @throws {EventStreamError} `ERR_EVENT_INVALID`, `ERR_EVENT_TOO_LARGE`
 */
export function encodeOwnEvent(event: EventInput, { maxEventBytes, redact }: EventRules, hasTopics: boolean): OwnEvent {
  const checked = checkEvent(event, redact)
  const hasId = checked.id !== undefined
  if (hasId && hasTopics) {
    throw new EventStreamError('ERR_EVENT_INVALID', 'on a stream with topics the id is the cursor: omit `id`')
  }
  const frame = encodeEvent(checked)
  checkSize(frame, maxEventBytes)
  return { frame, hasId }
}

function checkSize({ length }: Uint8Array, limit: number): void {
  if (length <= limit) return
  throw new EventStreamError(
    'ERR_EVENT_TOO_LARGE',
    `an event of ${String(length)} bytes exceeds the limit of ${String(limit)} bytes`,
  )
}

function checkTopics(topics: unknown): string[] {
  const given = typeof topics === 'string' ? [topics] : topics
  if (!isIterable(given)) {
    const what = given === null ? 'null' : typeof given
    throw new EventStreamError(
      'ERR_TOPIC_INVALID',
      `the first argument of publish(topics, event) must be a topic or a list of topics, not ${what}`,
    )
  }
  const list = [...new Set(given)].map(checkTopic)
  if (list.length > MAX_PUBLISH_TOPICS) {
    throw new EventStreamError(
      'ERR_TOPIC_INVALID',
      `an event can be published to at most ${String(MAX_PUBLISH_TOPICS)} topics at once, not ${String(list.length)}:  ` +
        'publish to one topic that all readers subscribe to, or publish in batches',
    )
  }
  if (list.length === 0) throw new EventStreamError('ERR_TOPIC_INVALID', 'publish needs at least one topic')
  return list
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}
