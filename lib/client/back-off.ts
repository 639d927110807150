import type { Environment } from './environment.ts'

/** How long our own growth of the wait goes on, in milliseconds. */
const FIRST_WAIT = 1_000
const LONGEST_WAIT = 30_000
/** After so many milliseconds a stream counts as healthy: the growth begins anew. */
const HEALTHY = 60_000

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
    return env.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++)
  }
}
