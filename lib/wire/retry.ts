/** The least a client is told to wait: `retry: 0` makes browsers reconnect hundreds of times a second. */
export const MIN_RETRY = 500
/** The most a client is told to wait; some browsers never come back after a number too large for them. */
export const MAX_RETRY = 3_600_000

/**
 * Spreads a reconnection delay over 0.5 to 1.5 of itself, so that the clients of a server that goes away
 * do not all come back in the same moment. Answers a whole number of milliseconds within the bounds above.
 */
export function jitteredRetry(ms: number, chance: { random(): number } = Math): number {
  const spread = Math.round(ms * (0.5 + chance.random()))
  return Math.min(MAX_RETRY, Math.max(MIN_RETRY, spread))
}
