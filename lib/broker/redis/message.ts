import { Buffer } from 'node:buffer'
import { formatPosition } from '../../wire/cursor.ts'
import { withId } from '../../wire/frame.ts'
import type { StoredEvent } from '../event-log.ts'

/** An event as it comes out of Redis, on a channel or from a topic's stream. */
export interface LoggedEvent extends StoredEvent {
  readonly epoch: string
  /** The `seq` of the event before it on the same topic, 0 if it is the first. */
  readonly previous: number
  /** Whether it came on its way to several topics, and may not have come to all of them yet. */
  readonly isShared: boolean
}

const NEWLINE = 0x0a
const HEADER = /^1 ([0-9A-Za-z]{1,64}) (\d{1,16}) (\d{1,16}) (\d{1,15}) (\d{1,9})$/
// A header is far shorter; a foreign payload need not be searched to its end.
const LONGEST_HEADER = 128

/**
 * Reads a payload: `1 <epoch> <seq> <previous seq> <milliseconds> <number of topics>`, a newline, and the event's lines.
 * The first word is the format. Answers `undefined` for anything else: somebody else may write to our channels.
 */
export function readMessage(payload: Buffer): LoggedEvent | undefined {
  const end = payload.subarray(0, LONGEST_HEADER).indexOf(NEWLINE)
  if (end === -1) return undefined
  const match = HEADER.exec(payload.toString('latin1', 0, end))
  if (match === null) return undefined
  const [, epoch = '', seq = '', previous = '', at = '', topics = ''] = match
  const event = loggedEvent(epoch, Number(seq), Number(previous), Number(at), payload.subarray(end + 1))
  return { ...event, isShared: topics !== '1' }
}

/** An event with its frame made whole. */
export function loggedEvent(epoch: string, seq: number, previous: number, at: number, body: Buffer): LoggedEvent {
  return { epoch, seq, previous, at, isShared: false, frame: withId(formatPosition(epoch, seq), body) }
}
