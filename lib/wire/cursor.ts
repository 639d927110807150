import { EventStreamError } from '../errors.ts'

/**
 * A position in the log: `epoch` identifies the log, a new one after it lost its history; `seq` increases within it. On
 * the wire it is the event's id, `<epoch>-<seq>`.
 */
export interface Position {
  readonly epoch: string
  readonly seq: number
}

/**
 * The client's cursor: `undefined` without one, `unknown` for an id this package never sent, or a position to resume
 * from.
 */
export type Cursor = Position | 'unknown' | undefined

/** The last id of a source read to its end: a client that reconnects with it gets nothing more. */
export const DONE_ID = '~done'

/** The longest id on the wire. */
export const MAX_ID_LENGTH = 128

// Non-ASCII ids permanently break reconnection in some clients, and long ones exceed a server's header limit.
const ID = /^[0-9A-Za-z._~-]+$/
// The sequence is a safe integer: 16 digits hold microseconds until the year 2255.
const POSITION = /^([0-9A-Za-z._~]{1,64})-(0|[1-9][0-9]{0,15})$/

/** The id of an event at a position. */
export function formatPosition(epoch: string, seq: number): string {
  return `${epoch}-${String(seq)}`
}

/** Parses an id that this package has sent. Returns `unknown` for anything else. */
export function parseCursor(id: string | undefined): Cursor {
  // An EventSource whose id was reset to the empty string sends no header, so this is a new client.
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
    `the id of an event must have 1 to ${String(MAX_ID_LENGTH)} characters of 0-9 A-Z a-z . _ ~ -`,
  )
}
