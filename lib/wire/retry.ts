/** The shortest reconnection delay: `retry: 0` makes browsers reconnect hundreds of times a second. */
export const MIN_RETRY = 500
/** The longest reconnection delay; some browsers never reconnect after a number too large for them. */
export const MAX_RETRY = 3_600_000

/**
 * Jitters a reconnection delay by a factor of 0.5 to 1.5, to avoid a reconnect storm when a server goes away. Returns
 * whole milliseconds within the bounds above.
 */
export function jitteredRetry(ms: number, chance: { random(): number } = Math): number {
  const spread = Math.round(ms * (0.5 + chance.random()))
  return Math.min(MAX_RETRY, Math.max(MIN_RETRY, spread))
}
