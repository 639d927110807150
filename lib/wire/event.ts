import { callNow, ignoreOutcome, isPromise } from '../application.ts'
import { EventStreamError } from '../errors.ts'
import { checkEventId } from './cursor.ts'

/** Event names mapped to the type of their `data`. The default allows any name with any data. */
export type EventMap = Record<string, unknown>

/**
 * An event from the application.
 *
 * - `event`: the event name, `message` if omitted. One line of 1 to 256 characters. `cursor`, `gap`, `goaway`,
 *   `heartbeat` and `presence` are the library's own; `error` and `open` have another meaning in EventSource.
 * - `data`: a string is sent as it is, anything else as JSON. Omitted or `undefined` it arrives as an empty string,
 *   allowed only with an event name. A promise is refused: await it first.
 * - `id`: only for `stream.send()` and async iterables, on streams without topics: 1 to 128 of `[0-9A-Za-z._~-]`.
 *
 * Any other field is refused.
 */
export type EventInput<Events extends object = EventMap> = string extends keyof Events
  ? { event?: string; data?: unknown; id?: string }
  : { [Name in keyof Events & string]: TypedEvent<Name, Events[Name]> }[keyof Events & string]

type TypedEvent<Name extends string, Data> = (Name extends 'message' ? { event?: Name } : { event: Name }) &
  (undefined extends Data ? { data?: Data } : { data: Data }) & { id?: string }

/** A validated event: every field is safe to write on the wire. */
export interface WireEvent {
  readonly event: string | undefined
  readonly data: string
  readonly id: string | undefined
}

/**
 * Redacts an event's data. Called with a copy of the data after a JSON round trip, which it may change; its result is
 * sent instead, a string as it is. Synchronous. If it throws, or returns a promise or a value not representable as
 * JSON, nothing is sent: `ERR_EVENT_INVALID`.
 */
export type Redact = (data: object) => unknown

/** Names of the events that the library itself sends. */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set(['cursor', 'gap', 'goaway', 'heartbeat', 'presence'])

// EventSource dispatches its own events of these names (WHATWG HTML, section 9.2.3): a page could not distinguish them.
const EVENT_SOURCE_EVENTS: ReadonlySet<string> = new Set(['error', 'open'])

const FIELDS: ReadonlySet<string> = new Set(['event', 'data', 'id'])

// Hints for field names of other libraries.
const MEANT: Readonly<Record<string, string>> = {
  type: 'use `event`',
  name: 'use `event`',
  payload: 'use `data`',
  body: 'use `data`',
  message: 'use `data`',
  lastEventId: 'use `id`',
  retry: 'set the option `retry` of eventStream()',
  comment: 'use stream.comment()',
  topic: 'pass topics as the first argument of publish(topics, event)',
  topics: 'pass topics as the first argument of publish(topics, event)',
}

/** The longest event name, in UTF-16 units. */
export const MAX_EVENT_NAME_LENGTH = 256

// A CR or LF would end the field and inject further fields; NUL is refused as well.
// eslint-disable-next-line no-control-regex -- control characters are what it matches
const LINE_BREAKING = /[\u0000\n\r]/

/**
 * Checks an event and converts its data to text. A valid event cannot inject fields.
 *
 * @throws {EventStreamError} `ERR_EVENT_INVALID`
 */
export function checkEvent(input: { event?: string; data?: unknown; id?: string }, redact?: Redact): WireEvent {
  requireEvent(input)
  // Read each property once: a getter may return something else the next time.
  const { event, data, id } = input
  if (event === undefined && data === undefined) {
    throw invalid('an event needs a name or data: clients ignore an event with neither')
  }
  return {
    event: event === undefined ? undefined : checkEventName(event),
    data: dataText(data, redact),
    id: id === undefined ? undefined : checkEventId(id),
  }
}

function requireEvent(input: unknown): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    const what = Array.isArray(input) ? 'a list' : input === null ? 'null' : typeof input
    throw invalid(`an event must be an object such as { event, data }, not ${what}`)
  }
  if (isPromise(input)) throw promised('an event', input)
  for (const field of Object.keys(input)) {
    if (FIELDS.has(field)) continue
    const meant = Object.hasOwn(MEANT, field)
      ? `: ${String(MEANT[field])}`
      : '; the fields are `event`, `data` and `id`'
    throw invalid(`an event has no field ${JSON.stringify(field.slice(0, MAX_EVENT_NAME_LENGTH))}${meant}`)
  }
}

/** Checks a name for the `event:` field. */
export function checkEventName(name: unknown): string {
  if (typeof name !== 'string' || name === '') throw invalid('an event name must be a non-empty string')
  if (name.length > MAX_EVENT_NAME_LENGTH) {
    throw invalid(`an event name must not be longer than ${String(MAX_EVENT_NAME_LENGTH)} characters`)
  }
  if (LINE_BREAKING.test(name)) throw invalid('an event name cannot contain a line break or a NUL')
  if (RESERVED_EVENTS.has(name))
    throw invalid(`the event name "${name}" is reserved: the library uses it for its own events`)
  if (EVENT_SOURCE_EVENTS.has(name)) {
    throw invalid(`an event cannot be called "${name}": EventSource dispatches its own event of that name`)
  }
  return name
}

/**
 * The data of an event as text.
 *
 * @throws {EventStreamError} `ERR_EVENT_INVALID`
 */
export function dataText(data: unknown, redact: Redact | undefined): string {
  if (data === undefined) return ''
  if (typeof data === 'string') return data
  if (isPromise(data)) throw promised('the data of an event', data)
  const text = jsonText(data)
  return redact === undefined ? text : redactedText(text, redact)
}

// Redacts the serialized text: that includes what `toJSON` and getters return, and leaves the caller's object
// unchanged.
function redactedText(text: string, redact: Redact): string {
  const data: unknown = JSON.parse(text)
  if (typeof data !== 'object' || data === null) return text
  let redacted: unknown
  try {
    redacted = callNow('`redact`', () => redact(data))
  } catch (cause) {
    throw new EventStreamError('ERR_EVENT_INVALID', 'the data of an event could not be redacted', { cause })
  }
  return typeof redacted === 'string' ? redacted : jsonText(redacted)
}

function jsonText(data: unknown): string {
  let text: unknown
  try {
    text = hasToJSON(data) ? JSON.stringify(data, refusePromise) : JSON.stringify(data)
  } catch (cause) {
    if (cause instanceof EventStreamError) throw cause
    throw new EventStreamError('ERR_EVENT_INVALID', 'the data of an event could not be serialized as JSON', { cause })
  }
  if (typeof text !== 'string') throw invalid(`the data of an event cannot be a ${typeof data}`)
  return text
}

// A replacer doubles the cost, so it is used only if `toJSON` may return a promise, which JSON would serialize as `{}`.
function refusePromise(_key: string, value: unknown): unknown {
  if (isPromise(value)) throw promised('the result of `toJSON`', value)
  return value
}

function hasToJSON(data: unknown): boolean {
  return typeof data === 'object' && data !== null && 'toJSON' in data
}

function promised(what: string, promise: unknown): EventStreamError {
  ignoreOutcome(promise)
  return invalid(`${what} cannot be a promise: await it first`)
}

function invalid(message: string): EventStreamError {
  return new EventStreamError('ERR_EVENT_INVALID', message)
}
