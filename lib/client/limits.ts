/** The client's timeouts and limits; durations are in milliseconds. */

/** The timeout of an application function; a message states it, too. */
export const APPLICATION = 30_000

/** The initial back-off. */
export const FIRST_WAIT = 1_000
export const LONGEST_WAIT = 30_000
/** A stream open for so long is healthy: the back-off is reset. */
export const HEALTHY = 60_000
/** The longest delay honoured: a server that asks for more than an hour gets an hour. */
export const LONGEST_ASKED = 3_600_000

/** The timeout of a stream's first byte, after which long polling is tried. */
export const FIRST_BYTE = 5_000
/** The timeout of a response if there is no alternative: a long poll lasts 25 s. */
export const ANSWER = 40_000
/** If the first bytes of a long poll arrive so long before its end, the network does not buffer. */
export const HELD_NO_MORE = 2_000
/** The least time between the starts of two long polls. */
export const POLL_SPACING = 500
/** The interval of the silence check: a sleep is detected this soon after waking. */
export const TICK = 5_000
/** The tolerance of a heartbeat in addition to a quarter of its interval. */
export const HEARTBEAT_GRACE = 2_000

/** The most events queued before the stream is paused, and the most ids of own actions remembered. */
export const MOST_WAITING = 1_000
/** How long events are held for the response to the page's own action. */
export const OWN_ACTION = 5_000
