/** How long our own growth of the wait goes on, in milliseconds. */
export const FIRST_WAIT = 1_000
export const LONGEST_WAIT = 30_000
/** After so many milliseconds a stream counts as healthy: the growth begins anew. */
export const HEALTHY = 60_000

/** How long to wait before the next attempt. What the server says is a floor; ours comes on top, with full jitter. */
export class BackOff {
  /** What the server's last `retry` said, in milliseconds. */
  retry = 0
  #failures = 0

  /**
   * @param lived for how many milliseconds the stream was open, 0 if it never was
   * @param floor what the answer said beside `retry`: `Retry-After` in milliseconds
   * @param chance a number from 0 to 1: clients that lost their streams together do not come back together
   * @returns the milliseconds that the server asks for, and those on top
   */
  next(lived: number, floor: number, chance: number): { floor: number; wait: number } {
    if (lived >= HEALTHY) this.#failures = 0
    const bound = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures)
    this.#failures += 1
    const least = Math.max(this.retry, floor)
    return { floor: least, wait: least + chance * bound }
  }
}
