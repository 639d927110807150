import { readPage } from './page.ts'
import type { FeedAccess, Strategy } from './strategy.ts'

/** Sends history at the client's pace, and goes live in the same turn in which history is exhausted. */
export class Replaying implements Strategy {
  readonly isLive = false
  readonly #feed: FeedAccess
  readonly #tellsCursor: boolean

  /** @param tellsCursor whether to send the client a cursor once it has caught up */
  constructor(feed: FeedAccess, tellsCursor: boolean) {
    this.#feed = feed
    this.#tellsCursor = tellsCursor
  }

  goOn(): void {
    const { broker, cursors } = this.#feed
    for (;;) {
      const { frames, trimmed, more } = readPage(broker, cursors)
      if (trimmed.length > 0) {
        if (this.#feed.tellGap({ topics: trimmed, reason: 'trimmed' }) || this.#feed.isJoining) return
        // A `gap` listener may have removed topics: read again.
        continue
      }
      const last = frames.at(-1)
      if (last !== undefined) this.#feed.sent(last.event.seq)
      this.#feed.write(frames)
      if (!more) break
      if (last !== undefined) {
        this.#feed.awaitTaken()
        return
      }
    }
    if (this.#tellsCursor) this.#feed.tellCursor()
    else cursors.moveTo(broker.position().seq)
    this.#feed.goLive()
  }

  retain(): void {
    // Nothing is buffered: history is read for the remaining topics only.
  }

  stop(): void {
    // Nothing is in progress between calls.
  }
}
