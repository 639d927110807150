import { EventStreamError } from '../errors.ts'

/**
 * A place in the log: `epoch` names this life of the log, `seq` counts within it and always rises.
 * On the wire it is the event's id, `<epoch>-<seq>`.
 */
export interface Position {
  readonly epoch: string
  readonly seq: number
}

/**
 * What a client says it has seen:
 * `undefined` for a newcomer, `unknown` for something this package never sent, or a position to go on from.
 */
export type Cursor = Position | 'unknown' | undefined

/** The id with which a source ends that has been read to its end: who comes back with it has nothing more to get. */
export const DONE_ID = '~done'

/** The longest id that goes on the wire. */
export const MAX_ID_LENGTH = 128

// Non-ASCII ids stop the reconnection of some clients for good, and long ones outgrow a server's header limit.
const ID = /^[0-9A-Za-z._~-]+$/
// The sequence is a safe integer: 16 digits hold microseconds until the year 2255.
const POSITION = /^([0-9A-Za-z._~]{1,64})-(0|[1-9][0-9]{0,15})$/

/** The id of an event at a position. */
export function formatPosition(epoch: string, seq: number): string {
  return `${epoch}-${String(seq)}`
}

/** Reads an id that this package has sent. Answers `unknown` for anything else, whatever it is. */
export function parseCursor(id: string | undefined): Cursor {
  // An EventSource whose id was reset to the empty string sends no header at all: it is a newcomer.
  if (id === undefined || id === '') return undefined
  if (id.length > MAX_ID_LENGTH) return 'unknown'
  const match = POSITION.exec(id)
  if (match === null) return 'unknown'
  const [, epoch = '', digits = ''] = match
  const seq = Number(digits)
  return Number.isSafeInteger(seq) ? { epoch, seq } : 'unknown'
}

/**
 * Checks an id that an application chose for an event.
 *
 * @throws {EventStreamError} `ERR_EVENT_INVALID`
 */
export function checkEventId(id: unknown): string {
  if (typeof id === 'string' && id.length <= MAX_ID_LENGTH && ID.test(id)) return id
  throw new EventStreamError(
    'ERR_EVENT_INVALID',
    `the id of an event has 1 to ${String(MAX_ID_LENGTH)} characters of 0-9 A-Z a-z . _ ~ -`,
  )
}
