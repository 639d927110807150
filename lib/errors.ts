/**
 * Every code this package puts on an error. They are stable: match on `error.code`, never on the message.
 *
 * - `ERR_EVENT_INVALID`: an event that cannot be put on the wire (bad name or id, nothing in it, data JSON cannot hold)
 * - `ERR_EVENT_TOO_LARGE`: an event over the hub's `maxEventBytes`
 * - `ERR_TOPIC_INVALID`: not a topic name
 * - `ERR_STREAM_CLOSED`: the stream has ended
 * - `ERR_HUB_CLOSED`: the hub has been closed
 * - `ERR_BROKER`: the broker could not do what was asked
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
