import { Buffer } from 'node:buffer'
import type { WireEvent } from './event.ts'
import type { Arrival, Gap } from './notices.ts'

export type { Arrival, Gap, GapReason } from './notices.ts'

/**
 * Events as bytes, after the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream".
 *
 * A frame is a whole block with the blank line that ends it. It begins with the `id:` line where it has one, so that
 * a log can encode an event once, before its id is known, and put the id in front. `retry` and comments are single lines
 * that belong to the block after them.
 */

// The standard's three line ends; a client reads each as LF.
const LINE_END = /\r\n|\r|\n/

/** The lines of an event without its `id:`, ready to stand behind one. */
export function encodeBody(event: WireEvent): Buffer {
  return Buffer.from(bodyText(event))
}

/** An event as a whole frame, with its own id if it has one. */
export function encodeEvent(event: WireEvent): Buffer {
  return Buffer.from(event.id === undefined ? bodyText(event) : `id: ${event.id}\n${bodyText(event)}`)
}

/** Puts an id in front of a body. */
export function withId(id: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`id: ${id}\n`, 'latin1'), body])
}

/**
 * Tells the client that it has caught up, and where it stands. Data that is empty breaks the parsers of some clients, and
 * an id without data moves the cursor in Chromium only. Without an id the cursor stays where it is.
 */
export function encodeCursor(id: string | undefined, { stream, heartbeat }: Arrival): Buffer {
  const data = `{"stream":${JSON.stringify(stream)},"heartbeat":${String(heartbeat)}}`
  return Buffer.from(`${id === undefined ? '' : `id: ${id}\n`}event: cursor\ndata: ${data}\n\n`)
}

/** Tells the client that events are missing. It moves no cursor: the events after it do. */
export function encodeGap({ topics, reason }: Gap): Buffer {
  return Buffer.from(`event: gap\ndata: ${JSON.stringify({ topics, reason })}\n\n`)
}

/**
 * How long the client is to wait before it reconnects, in milliseconds: a line of the block that comes next. A block of
 * its own would be taken for an unnamed message by lenient parsers.
 */
export function encodeRetry(ms: number): Buffer {
  return Buffer.from(`retry: ${String(ms)}\n`, 'latin1')
}

/** The last block of a stream: why it ends, and what else its client needs to know. */
export interface Goaway {
  readonly reason: string
  /** When the client may come back, in milliseconds; `undefined` where it may not, or is no EventSource. */
  readonly retry: number | undefined
  /** The id that the client is to come back with, where that is not the one it has. */
  readonly id?: string | undefined
  /** Whether `retry` is in the data as well: an EventSource keeps the field to itself. */
  readonly isVisible?: boolean
}

/** Tells the client that the server ends the stream, and why. */
export function encodeGoaway({ reason, retry, id, isVisible = false }: Goaway): Buffer {
  const told = isVisible && retry !== undefined ? `,"retry":${String(retry)}` : ''
  const lines = [
    retry === undefined ? '' : `retry: ${String(retry)}\n`,
    id === undefined ? '' : `id: ${id}\n`,
    `event: goaway\ndata: {"reason":${JSON.stringify(reason)}${told}}\n\n`,
  ]
  return Buffer.from(lines.join(''))
}

/**
 * A heartbeat that pages can see: the data says how often one comes, `null` where none does, and as the first block of a
 * stream how long to wait before a reconnect. Both are milliseconds.
 */
export function encodeHeartbeat(interval: number | null, retry?: number): Buffer {
  const told = retry === undefined ? '' : `,"retry":${String(retry)}`
  return Buffer.from(`event: heartbeat\ndata: {"heartbeat":${String(interval)}${told}}\n\n`)
}

/** A comment: seen by proxies and by nobody else. Each line of the text becomes a line of the block that comes next. */
export function encodeComment(text: string): Buffer {
  return Buffer.from(fieldLines(': ', text))
}

/** Reads a frame of an event that this module has encoded: its name, `message` where it has none, and its data. */
export function decodeFrame(frame: Uint8Array): { event: string; data: string } {
  let event = 'message'
  const data: string[] = []
  for (const line of Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString().split('\n')) {
    if (line.startsWith('event: ')) event = line.slice('event: '.length)
    else if (line.startsWith('data: ')) data.push(line.slice('data: '.length))
  }
  return { event, data: data.join('\n') }
}

function bodyText({ event, data }: WireEvent): string {
  return `${event === undefined ? '' : `event: ${event}\n`}${fieldLines('data: ', data)}\n`
}

function fieldLines(prefix: string, text: string): string {
  if (!text.includes('\n') && !text.includes('\r')) return `${prefix}${text}\n`
  return text
    .split(LINE_END)
    .map(line => `${prefix}${line}\n`)
    .join('')
}
