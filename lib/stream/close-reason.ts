/** Why a stream ended. The set is closed, so that dashboards and alerts can rely on it. */
export type CloseReason =
  /** The client disconnected. */
  | 'client'
  /** The application called `stream.close()` or `hub.disconnect()` without a reason of its own. */
  | 'server'
  /** The stream's source has ended, or the resolver that writes to it has ended it. */
  | 'done'
  /** The identity's credentials expired. */
  | 'expired'
  /** The identity is no longer valid: logged out, session destroyed, another user in the session. */
  | 'logout'
  /** The token was revoked. */
  | 'revoked'
  /** The identity could not be revalidated for too long. */
  | 'unverifiable'
  /** The stream reached its `maxAge`. */
  | 'max-age'
  /** The client read too slowly, or not at all. */
  | 'slow'
  /** Newer streams of the same identity took its place (`limits.identity`). */
  | 'superseded'
  /** The process is shutting down. */
  | 'drain'
  /** Another middleware replaced the response body. */
  | 'replaced'
  /** An error: see the hub's `fault` event, and `app.on('error')` for a stream that was destroyed with an error. */
  | 'error'

/** Reasons that an application may pass to `close()` and `disconnect()`. */
export type RequestedCloseReason = Extract<CloseReason, 'server' | 'done' | 'logout' | 'revoked'>

/** The same, for checks at run time: counters and dashboards know no others. */
export const REQUESTED_CLOSE_REASONS = [
  'server',
  'done',
  'logout',
  'revoked',
] as const satisfies readonly RequestedCloseReason[]

/** Final reasons: the client need not reconnect before the user has done something. */
const FINAL: ReadonlySet<CloseReason> = new Set(['done', 'logout', 'revoked'])

/** Reasons that end the client's right to read: queued events must not be sent. */
const RIGHT_LOST: ReadonlySet<CloseReason> = new Set(['logout', 'revoked', 'expired', 'unverifiable'])

/** Whether clients may reconnect at once after a stream that ended for this reason. */
export function mayComeBack(reason: CloseReason): boolean {
  return !FINAL.has(reason)
}

/** Whether the queue is discarded when a stream ends for this reason. */
export function discardsQueue(reason: CloseReason): boolean {
  return RIGHT_LOST.has(reason)
}

/** All reasons, for counters that start at zero. */
export const CLOSE_REASONS = [
  'client',
  'server',
  'done',
  'expired',
  'logout',
  'revoked',
  'unverifiable',
  'max-age',
  'slow',
  'superseded',
  'drain',
  'replaced',
  'error',
] as const satisfies readonly CloseReason[]
