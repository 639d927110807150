import { EventStreamError } from '../../errors.ts'
import { safeError } from '../../safe-error.ts'

/**
 * Makes an error of ours of what ioredis threw. Its own errors carry the command that failed, with passwords and events
 * in it.
 */
export function redisFailure(what: string, error: unknown): EventStreamError {
  if (error instanceof EventStreamError) return error
  const cause = safeError(error)
  return new EventStreamError('ERR_BROKER', `${what}: ${cause.message}`, { cause })
}
