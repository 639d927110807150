import { callNow, ignoreOutcome, isPromise } from '../application.ts'
import { EventStreamError } from '../errors.ts'
import { checkEventId } from './cursor.ts'

/** Event names mapped to the type of their `data`. The default allows any name with any data. */
export type EventMap = Record<string, unknown>

/**
 * An event as an application states it.
 *
 * - `event`: the name page scripts listen for, `message` where left out. One line of 1 to 256 characters. `cursor`, `gap`,
 *   `goaway`, `heartbeat` and `presence` are the library's own; `error` and `open` mean something else to an EventSource.
 * - `data`: a string goes out as it is, anything else as JSON. Left out or `undefined` it arrives as an empty string,
 *   which only an event with a name may do. A promise is refused: wait for it first.
 * - `id`: only for `stream.send()` and async iterables, on streams without topics: 1 to 128 of `[0-9A-Za-z._~-]`.
 *
 * Any other field is refused.
 */
export type EventInput<Events extends object = EventMap> = string extends keyof Events
  ? { event?: string; data?: unknown; id?: string }
  : { [Name in keyof Events & string]: TypedEvent<Name, Events[Name]> }[keyof Events & string]

type TypedEvent<Name extends string, Data> = (Name extends 'message' ? { event?: Name } : { event: Name }) &
  (undefined extends Data ? { data?: Data } : { data: Data }) & { id?: string }

/** An event that has been checked: every field is safe to write on the wire. */
export interface WireEvent {
  readonly event: string | undefined
  readonly data: string
  readonly id: string | undefined
}

/**
 * Replaces what nobody is to see in the data of an event. Called with a copy of the data as JSON makes it, which it may
 * change; what it answers is sent in its place, a string as it is. It has to answer at once. If it throws, or answers a
 * promise or anything else that JSON cannot hold, nothing is sent: `ERR_EVENT_INVALID`.
 */
export type Redact = (data: object) => unknown

/** Names of the events that the library itself sends. */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set(['cursor', 'gap', 'goaway', 'heartbeat', 'presence'])

// EventSource fires events of these names at itself (WHATWG HTML, section 9.2.3): a page could not tell them apart.
const EVENT_SOURCE_EVENTS: ReadonlySet<string> = new Set(['error', 'open'])

const FIELDS: ReadonlySet<string> = new Set(['event', 'data', 'id'])

// What is meant by fields that events have elsewhere.
const MEANT: Readonly<Record<string, string>> = {
  type: 'its name is `event`',
  name: 'its name is `event`',
  payload: 'what it carries is `data`',
  body: 'what it carries is `data`',
  message: 'what it carries is `data`',
  lastEventId: 'its id is `id`',
  retry: 'how long clients wait is the option `retry` of eventStream()',
  comment: 'a comment is sent by stream.comment()',
  topic: 'its topics are the first argument of publish(topics, event)',
  topics: 'its topics are the first argument of publish(topics, event)',
}

/** The longest event name, in UTF-16 units. */
export const MAX_EVENT_NAME_LENGTH = 256

// A CR or LF would end the field and let the rest pose as fields of their own; a NUL is refused along with them.
// eslint-disable-next-line no-control-regex -- control characters are exactly what it is there to find
const LINE_BREAKING = /[\u0000\n\r]/

/**
 * Checks an event and turns its data to text. Nothing that passes can break out of its fields.
 *
 * @throws {EventStreamError} `ERR_EVENT_INVALID`
 */
export function checkEvent(input: { event?: string; data?: unknown; id?: string }, redact?: Redact): WireEvent {
  requireEvent(input)
  // Each is read once: a getter may answer something else when it is asked again.
  const { event, data, id } = input
  if (event === undefined && data === undefined) {
    throw invalid('an event needs a name or data: one with neither would be dropped by every client')
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
    throw invalid(`an event is an object such as { event, data }, not ${what}`)
  }
  if (isPromise(input)) throw promised('an event', input)
  for (const field of Object.keys(input)) {
    if (FIELDS.has(field)) continue
    const meant = Object.hasOwn(MEANT, field) ? `: ${String(MEANT[field])}` : '; it takes `event`, `data` and `id`'
    throw invalid(`an event has no field ${JSON.stringify(field.slice(0, MAX_EVENT_NAME_LENGTH))}${meant}`)
  }
}

/** Checks a name for a `event:` field. */
export function checkEventName(name: unknown): string {
  if (typeof name !== 'string' || name === '') throw invalid('an event name is a string that is not empty')
  if (name.length > MAX_EVENT_NAME_LENGTH) {
    throw invalid(`an event name has at most ${String(MAX_EVENT_NAME_LENGTH)} characters`)
  }
  if (LINE_BREAKING.test(name)) throw invalid('an event name cannot contain a line break or a NUL')
  if (RESERVED_EVENTS.has(name)) throw invalid(`the event name "${name}" is reserved: the library sends it itself`)
  if (EVENT_SOURCE_EVENTS.has(name)) {
    throw invalid(`an event cannot be called "${name}": an EventSource fires that itself when its connection changes`)
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

// From the text that would be sent: what `toJSON` or a getter makes is not missed, and the caller's object stays as it is.
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
    throw new EventStreamError('ERR_EVENT_INVALID', 'the data of an event could not be turned into JSON', { cause })
  }
  if (typeof text !== 'string') throw invalid(`the data of an event cannot be a ${typeof data}`)
  return text
}

// A replacer doubles the cost, and is of use only where `toJSON` may answer a promise, of which JSON would make `{}`.
function refusePromise(_key: string, value: unknown): unknown {
  if (isPromise(value)) throw promised('what `toJSON` answered', value)
  return value
}

function hasToJSON(data: unknown): boolean {
  return typeof data === 'object' && data !== null && 'toJSON' in data
}

function promised(what: string, promise: unknown): EventStreamError {
  ignoreOutcome(promise)
  return invalid(`${what} cannot be a promise: wait for it first`)
}

function invalid(message: string): EventStreamError {
  return new EventStreamError('ERR_EVENT_INVALID', message)
}
