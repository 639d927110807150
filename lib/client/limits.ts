/** How long the client waits, and for how much: all durations in milliseconds. */

/** How long a function of the application may take; a message says so, too. */
export const APPLICATION = 30_000

/** How long our own growth of the wait for the next attempt goes on. */
export const FIRST_WAIT = 1_000
export const LONGEST_WAIT = 30_000
/** After so long a stream counts as healthy: the growth begins anew. */
export const HEALTHY = 60_000
/** No timer is to count further: what a server asks for beyond an hour is taken for an hour. */
export const LONGEST_ASKED = 3_600_000

/** How long a stream may take to its first byte before it is tried as a long poll. */
export const FIRST_BYTE = 5_000
/** How long an answer may take where there is no other way to ask: a long poll lasts 25 s. */
export const ANSWER = 40_000
/** The first bytes of a long poll come so long before its end only where nobody holds them back. */
export const HELD_NO_MORE = 2_000
/** Two polls begin at least so far apart. */
export const POLL_SPACING = 500
/** How often silence is looked for: so soon after a sleep it is noticed. */
export const TICK = 5_000
/** How much later than it should a heartbeat may come, besides a quarter of its interval. */
export const HEARTBEAT_GRACE = 2_000

/** How many events may wait to be told before the stream is paused, and how many of the page's own are remembered. */
export const MOST_WAITING = 1_000
/** How long events wait for the answer to the page's own action. */
export const OWN_ACTION = 5_000
