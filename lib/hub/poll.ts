import type { Clock } from '../clock.ts'
import type { StreamNews } from '../stream/stream-host.ts'

/** How long a long poll waits for events, in milliseconds: less than any proxy allows. */
export const POLL_TIME = 25_000

/** How soon the next long poll has to come to be the same attempt, in milliseconds. */
export const POLL_PAUSE = 10_000

/** A stream goes on whatever it brings. */
export const ENDLESS: StreamNews = Object.freeze({ carried: () => undefined, caughtUp: () => undefined })

/**
 * Ends a stream behind the first events that it brings, once its client has caught up: a network that holds bytes back
 * lets them go at the end. A newcomer's ends as soon as it has its cursor, since it has to have one to come back with.
 */
export class Poll implements StreamNews {
  readonly #clock: Clock
  readonly #end: () => void
  #hasNews: boolean
  #hasCaughtUp = false
  #cancel: () => void = () => undefined

  /** @param end ends the stream behind what was written; it is called once */
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

  // What is due in this turn goes along.
  #look(): void {
    if (!this.#hasNews || !this.#hasCaughtUp) return
    this.#cancel()
    this.#cancel = this.#clock.turn(this.#end)
  }
}
