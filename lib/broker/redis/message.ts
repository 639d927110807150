import { Buffer } from 'node:buffer'
import { formatPosition } from '../../wire/cursor.ts'
import { withId } from '../../wire/frame.ts'
import type { EventHeaders } from '../../wire/publish-options.ts'
import type { LoggedEvent, Predecessor } from '../replica/log-engine.ts'
import { FORMAT } from './scripts.ts'

const NEWLINE = 0x0a
const HEADER = new RegExp(
  `^${FORMAT} ([0-9A-Za-z]{1,64}) (\\d{1,16}) (\\d{1,16}|~\\d{1,16}@\\d{1,15}) (\\d{1,15}) (\\d{1,9})(?: (\\S{1,1024}))?$`,
)
// A foreign payload is not searched to its end.
const LONGEST_HEADER = 1_280

/**
 * Parses a payload: `2 <epoch> <seq> <predecessor> <milliseconds> <number of topics>`, and the event's headers if it
 * has any; a newline, and its lines. The first word is the format. Returns `undefined` for anything else: other
 * programs may publish to these channels.
 */
export function readMessage(payload: Buffer): LoggedEvent | undefined {
  const end = payload.subarray(0, LONGEST_HEADER).indexOf(NEWLINE)
  if (end === -1) return undefined
  const match = HEADER.exec(payload.toString('latin1', 0, end))
  if (match === null) return undefined
  const [, epoch = '', seq = '', previous = '', at = '', topics = '', headers] = match
  const place = { epoch, seq: Number(seq), previous: predecessor(previous), at: Number(at) }
  return loggedEvent(place, payload.subarray(end + 1), headers, topics !== '1')
}

/** An event with its complete frame. */
export function loggedEvent(
  { epoch, seq, previous, at }: Pick<LoggedEvent, 'epoch' | 'seq' | 'previous' | 'at'>,
  body: Buffer,
  headers?: string,
  isShared = false,
): LoggedEvent {
  const event = { epoch, seq, previous, at, isShared, frame: withId(formatPosition(epoch, seq), body) }
  return headers === undefined ? event : { ...event, headers: readHeaders(headers) }
}

/** Headers as one word. */
export function formatHeaders(headers: EventHeaders): string {
  return new URLSearchParams(headers).toString()
}

// Headers of later versions are kept.
function readHeaders(text: string): EventHeaders {
  return Object.fromEntries(new URLSearchParams(text))
}

/**
 * Parses an event's predecessor: `<seq>`, or `~<seq>@<milliseconds>` if it is only known that nothing was published
 * after that.
 */
export function predecessor(text: string): Predecessor {
  if (!text.startsWith('~')) return { isKnown: true, seq: Number(text) }
  const [seq, at] = text.slice(1).split('@')
  return { isKnown: false, seq: Number(seq), at: Number(at) }
}
