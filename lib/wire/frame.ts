import { Buffer } from 'node:buffer'
import type { WireEvent } from './event.ts'
import type { Arrival, Gap } from './notices.ts'

export type { Arrival, Gap, GapReason } from './notices.ts'

/**
 * Encodes events by the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream".
 *
 * A frame is a whole block with the blank line that ends it. It begins with its `id:` line, if any, so that a log can
 * encode an event once, before its id is known, and prepend the id. `retry` and comments are single lines that belong
 * to the next block.
 */

// The standard's three line endings; a client reads each as LF.
const LINE_END = /\r\n|\r|\n/

/** The lines of an event without `id:`. */
export function encodeBody(event: WireEvent): Buffer {
  return Buffer.from(bodyText(event))
}

/** An event as a whole frame, with its own id if it has one. */
export function encodeEvent(event: WireEvent): Buffer {
  return Buffer.from(event.id === undefined ? bodyText(event) : `id: ${event.id}\n${bodyText(event)}`)
}

/** Prepends an id to a body. */
export function withId(id: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`id: ${id}\n`, 'latin1'), body])
}

/**
 * Tells the client that it has caught up, and its cursor. Empty data breaks the parsers of some clients, and an id
 * without data moves the cursor in Chromium only. Without an id the cursor stays the same.
 */
export function encodeCursor(id: string | undefined, { stream, heartbeat }: Arrival): Buffer {
  const data = `{"stream":${JSON.stringify(stream)},"heartbeat":${String(heartbeat)}}`
  return Buffer.from(`${id === undefined ? '' : `id: ${id}\n`}event: cursor\ndata: ${data}\n\n`)
}

/** Tells the client that events are missing. It does not move the cursor: the following events do. */
export function encodeGap({ topics, reason }: Gap): Buffer {
  return Buffer.from(`event: gap\ndata: ${JSON.stringify({ topics, reason })}\n\n`)
}

/**
 * The reconnection delay in milliseconds: a line of the next block. Lenient parsers would read a block of its own as an
 * unnamed message.
 */
export function encodeRetry(ms: number): Buffer {
  return Buffer.from(`retry: ${String(ms)}\n`, 'latin1')
}

/** The last block of a stream: why it ends, and how to reconnect. */
export interface Goaway {
  readonly reason: string
  /** When the client may reconnect, in milliseconds; `undefined` if it may not, or is not an EventSource. */
  readonly retry: number | undefined
  /** The id to reconnect with, if it is not the client's last id. */
  readonly id?: string | undefined
  /** Whether `retry` is in the data as well: EventSource does not expose the field. */
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
 * A heartbeat visible to pages: the data has the heartbeat interval, `null` if there is none, and in the first block of
 * a stream the reconnection delay. Both are in milliseconds.
 */
export function encodeHeartbeat(interval: number | null, retry?: number): Buffer {
  const told = retry === undefined ? '' : `,"retry":${String(retry)}`
  return Buffer.from(`event: heartbeat\ndata: {"heartbeat":${String(interval)}${told}}\n\n`)
}

/** A comment: seen by proxies, ignored by clients. Each line of the text becomes a line of the next block. */
export function encodeComment(text: string): Buffer {
  return Buffer.from(fieldLines(': ', text))
}

/** Decodes a frame encoded by this module: the event name, `message` if it has none, and the data. */
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
