/** How long a tab waits for the others, and how much it keeps for them: all durations in milliseconds. */

/** How long after a sign of the leader's a visible tab asks for another one, and how long that may take. */
export const ASK_EVERY = 300
export const ANSWER = 1_000
/** How long a tab has been visible before it takes over from a hidden one, and how much longer at most, at random. */
export const TAKE_OVER = 2_000
export const TAKE_OVER_JITTER = 500
/** How long the leader of a stream that has ended for good lets nobody else lead: by then all have been told. */
export const LINGER = 1_000

/** How many messages are kept for tabs that come back, and of how many characters. */
export const MOST_KEPT = 1_000
export const MOST_CHARACTERS = 1_000_000
