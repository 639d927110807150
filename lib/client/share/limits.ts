/** Timeouts and limits of shared connections; durations are in milliseconds. */

/** The interval at which a visible tab pings the leader, and the timeout of its response. */
export const ASK_EVERY = 300
export const ANSWER = 1_000
/** How long a tab has been visible before it takes over from a hidden one, and the most jitter added. */
export const TAKE_OVER = 2_000
export const TAKE_OVER_JITTER = 500
/** How long the leader of an ended stream keeps the lock, so that all tabs learn of the end. */
export const LINGER = 1_000

/** The limits of the backlog, in messages and in characters. */
export const MOST_KEPT = 1_000
export const MOST_CHARACTERS = 1_000_000
