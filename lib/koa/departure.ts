import type { Context } from 'koa'

/**
 * Notices that the response is over, from the first moment of the request on. One listener serves the whole request:
 * authentication and resolving stop for a client that has gone, and a stream that lives ends with it.
 */
export class Departure {
  #gone = false
  #leave: (() => void) | undefined

  constructor(ctx: Context) {
    ctx.res.once('close', () => {
      this.#gone = true
      this.#leave?.()
    })
  }

  /** Whether nobody is there any more to answer to. */
  get gone(): boolean {
    return this.#gone
  }

  /** What is to happen then; at once, if it has happened. */
  whenGone(leave: () => void): void {
    this.#leave = leave
    if (this.#gone) leave()
  }
}
