import type { Clock } from '../clock.ts'
import type { StreamNews } from '../stream/stream-host.ts'

/** How long a long poll waits for events, in milliseconds: less than the idle timeouts of proxies. */
export const POLL_TIME = 25_000

/** How soon the next long poll must arrive for the client to count as connected, in milliseconds. */
export const POLL_PAUSE = 10_000

/** For streams that are not long polls: they continue, whatever they send. */
export const ENDLESS: StreamNews = Object.freeze({ carried: () => undefined, caughtUp: () => undefined })

/**
 * Ends a long poll after its first events, once its client has caught up: a network that buffers responses delivers
 * them at their end. The first poll of a new client ends as soon as it has sent a cursor, which the next one needs.
 */
export class Poll implements StreamNews {
  readonly #clock: Clock
  readonly #end: () => void
  #hasNews: boolean
  #hasCaughtUp = false
  #cancel: () => void = () => undefined

  /** @param end ends the stream after what was written; called once */
  constructor(clock: Clock, isNewcomer: boolean, end: () => void) {
    this.#clock = clock
    this.#hasNews = isNewcomer
    this.#end = end
  }

  carried(): void {
    this.#hasNews = true
    this.#look()
  }

  caughtUp(): void {
    if (this.#hasCaughtUp) return
    this.#hasCaughtUp = true
    this.#cancel = this.#clock.after(POLL_TIME, this.#end)
    this.#look()
  }

  /** The stream has ended. */
  stop(): void {
    this.#cancel()
  }

  // Ends in the next turn, so that the events due in this one are included.
  #look(): void {
    if (!this.#hasNews || !this.#hasCaughtUp) return
    this.#cancel()
    this.#cancel = this.#clock.turn(this.#end)
  }
}
