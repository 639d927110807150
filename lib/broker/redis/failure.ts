import { EventStreamError } from '../../errors.ts'

/**
 * Makes an error of ours of what ioredis threw. Its own errors carry the command that failed, with passwords and events
 * in it: of them only message, name and code go on.
 */
export function redisFailure(what: string, error: unknown): EventStreamError {
  if (error instanceof EventStreamError) return error
  const { message, name, code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error('Redis failed')
  const cause = Object.assign(new Error(message), { name, ...(code !== undefined && { code }) })
  return new EventStreamError('ERR_BROKER', `${what}: ${message}`, { cause })
}
