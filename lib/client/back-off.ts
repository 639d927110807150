import type { Environment } from './environment.ts'
import { FIRST_WAIT, HEALTHY, LONGEST_WAIT } from './limits.ts'

/**
 * The back-off before the next attempt, in addition to the server's delay. Full jitter: clients that lost their streams
 * together do not reconnect together.
 *
 * @returns a function that returns the delay in milliseconds, given how long the stream was open, 0 if it never was
 */
export function createBackOff(env: Environment): (lived: number) => number {
  let failures = 0
  return lived => {
    if (lived >= HEALTHY) failures = 0
    return env.chance() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++)
  }
}
