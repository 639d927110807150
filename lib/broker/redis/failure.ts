import { EventStreamError } from '../../errors.ts'
import { safeError } from '../../safe-error.ts'

/** Converts an ioredis error to ours. ioredis' errors contain the failed command, with passwords and events. */
export function redisFailure(what: string, error: unknown): EventStreamError {
  if (error instanceof EventStreamError) return error
  const cause = safeError(error)
  return new EventStreamError('ERR_BROKER', `${what}: ${cause.message}`, { cause })
}
