/**
 * The error codes of this package. They are stable: match on `error.code`, never on the message.
 *
 * - `ERR_EVENT_INVALID`: an event that cannot be encoded (bad name or id, empty, data not representable as JSON)
 * - `ERR_EVENT_TOO_LARGE`: an event over the hub's `maxEventBytes`
 * - `ERR_TOPIC_INVALID`: an invalid topic name
 * - `ERR_STREAM_CLOSED`: the stream has ended
 * - `ERR_HUB_CLOSED`: the hub has been closed
 * - `ERR_BROKER`: a broker operation failed
 * - `ERR_SESSION_STORE`: the session store behind `watchSessions()` failed or did not answer in time
 * - `ERR_AUTH_MALFORMED`, `ERR_AUTH_REJECTED`, `ERR_AUTH_FORBIDDEN`, `ERR_AUTH_UNAVAILABLE`: see `AuthenticationError`
 */
export type ErrorCode =
  | 'ERR_EVENT_INVALID'
  | 'ERR_EVENT_TOO_LARGE'
  | 'ERR_TOPIC_INVALID'
  | 'ERR_STREAM_CLOSED'
  | 'ERR_HUB_CLOSED'
  | 'ERR_BROKER'
  | 'ERR_SESSION_STORE'
  | 'ERR_AUTH_MALFORMED'
  | 'ERR_AUTH_REJECTED'
  | 'ERR_AUTH_FORBIDDEN'
  | 'ERR_AUTH_UNAVAILABLE'

/** The base of every error this package throws for bad input or a failing part. Misuse of the API is a `TypeError`. */
export class EventStreamError extends Error {
  override readonly name: string = 'EventStreamError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
