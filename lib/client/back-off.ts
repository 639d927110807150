import type { Environment } from './environment.ts'
import { FIRST_WAIT, HEALTHY, LONGEST_WAIT } from './limits.ts'

/**
 * How long to wait before the next attempt, on top of what the server says. Clients that lost their streams together do
 * not come back together: the jitter is full.
 *
 * @returns a function that answers milliseconds, given for how many the stream was open, 0 if it never was
 */
export function createBackOff(env: Environment): (lived: number) => number {
  let failures = 0
  return lived => {
    if (lived >= HEALTHY) failures = 0
    return env.chance() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++)
  }
}
