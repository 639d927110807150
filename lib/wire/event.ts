import { EventStreamError } from '../errors.ts'
import { checkEventId } from './cursor.ts'

/** Event names mapped to the type of their `data`. The default allows any name with any data. */
export type EventMap = Record<string, unknown>

/**
 * An event as an application states it.
 *
 * - `event`: the name page scripts listen for, `message` where left out. One line of 1 to 256 characters; `cursor` and
 *   `gap` are reserved.
 * - `data`: a string goes out as it is, anything else as JSON. Left out or `undefined` it arrives as an empty string,
 *   which only an event with a name may do.
 * - `id`: only for `stream.send()` and async iterables, on streams without topics: 1 to 128 of `[0-9A-Za-z._~-]`.
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
 * change; what it answers is sent in its place, a string as it is.
 */
export type Redact = (data: object) => unknown

/** Names the library itself uses on every stream. */
export const RESERVED_EVENTS: ReadonlySet<string> = new Set(['cursor', 'gap'])

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
  if (typeof input !== 'object' || (input as unknown) === null) {
    throw invalid('an event is an object such as { event, data }')
  }
  const event = input.event === undefined ? undefined : checkEventName(input.event)
  if (event === undefined && input.data === undefined) {
    throw invalid('an event needs a name or data: one with neither would be dropped by every client')
  }
  const id = input.id === undefined ? undefined : checkEventId(input.id)
  return { event, data: dataText(input.data, redact), id }
}

/** Checks a name for a `event:` field. */
export function checkEventName(name: unknown): string {
  if (typeof name !== 'string' || name === '') throw invalid('an event name is a string that is not empty')
  if (name.length > MAX_EVENT_NAME_LENGTH) {
    throw invalid(`an event name has at most ${String(MAX_EVENT_NAME_LENGTH)} characters`)
  }
  if (LINE_BREAKING.test(name)) throw invalid('an event name cannot contain a line break or a NUL')
  if (RESERVED_EVENTS.has(name)) throw invalid(`the event name "${name}" is reserved`)
  return name
}

function dataText(data: unknown, redact: Redact | undefined): string {
  if (data === undefined) return ''
  if (typeof data === 'string') return data
  const text = jsonText(data)
  return redact === undefined ? text : redactedText(text, redact)
}

// From the text that would be sent: what `toJSON` or a getter makes is not missed, and the caller's object stays as it is.
function redactedText(text: string, redact: Redact): string {
  const data: unknown = JSON.parse(text)
  if (typeof data !== 'object' || data === null) return text
  let redacted: unknown
  try {
    redacted = redact(data)
  } catch (cause) {
    throw new EventStreamError('ERR_EVENT_INVALID', 'the data of an event could not be redacted', { cause })
  }
  return typeof redacted === 'string' ? redacted : jsonText(redacted)
}

function jsonText(data: unknown): string {
  let text: unknown
  try {
    text = JSON.stringify(data)
  } catch (cause) {
    throw new EventStreamError('ERR_EVENT_INVALID', 'the data of an event could not be turned into JSON', { cause })
  }
  if (typeof text !== 'string') throw invalid(`the data of an event cannot be a ${typeof data}`)
  return text
}

function invalid(message: string): EventStreamError {
  return new EventStreamError('ERR_EVENT_INVALID', message)
}
