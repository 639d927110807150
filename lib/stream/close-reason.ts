/**
 * Why a stream ended. The vocabulary is closed, so that dashboards and alerts can be built on it.
 */
export type CloseReason =
  /** The client went away. */
  | 'client'
  /** The application called `stream.close()` or `hub.disconnect()` without a reason of its own. */
  | 'server'
  /** The stream's source, or the resolver that wrote to it, has nothing more to say. */
  | 'done'
  /** The identity's proof expired. */
  | 'expired'
  /** The identity does not hold any more: logged out, session destroyed, another user in the session. */
  | 'logout'
  /** The token was revoked. */
  | 'revoked'
  /** Nobody could tell for too long whether the identity still holds. */
  | 'unverifiable'
  /** The stream reached its `maxAge`. */
  | 'max-age'
  /** The client read too slowly, or not at all. */
  | 'slow'
  /** Newer streams of the same identity have taken its place (`limits.identity`). */
  | 'superseded'
  /** The process is shutting down. */
  | 'drain'
  /** A later middleware put something else into the response. */
  | 'replaced'
  /** Something failed: see the hub's `fault` event, and `app.on('error')` for a stream that was destroyed with an error. */
  | 'error'

/** Reasons that an application may give. */
export type RequestedCloseReason = Extract<CloseReason, 'server' | 'done' | 'logout' | 'revoked'>

/** The same, for a check at run time: counters and dashboards know no others. */
export const REQUESTED_CLOSE_REASONS = [
  'server',
  'done',
  'logout',
  'revoked',
] as const satisfies readonly RequestedCloseReason[]

/** What ends a stream for good: its client need not come back before the user has done something. */
const FINAL: ReadonlySet<CloseReason> = new Set(['done', 'logout', 'revoked'])

/** What ends a right: nothing that still waits may be read. */
const RIGHT_LOST: ReadonlySet<CloseReason> = new Set(['logout', 'revoked', 'expired', 'unverifiable'])

/** Whether clients may come back at once after a stream that ended for this reason. */
export function mayComeBack(reason: CloseReason): boolean {
  return !FINAL.has(reason)
}

/** Whether what still waits for the client is thrown away with the end. */
export function discardsQueue(reason: CloseReason): boolean {
  return RIGHT_LOST.has(reason)
}

/** Every reason, for counters that start at zero. */
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
