import { missedTopics } from './page.ts'
import type { FeedAccess, Strategy } from './strategy.ts'

/** Drops what a slow client has missed, once it has read what waits, and tells it so. */
export class Skipping implements Strategy {
  readonly isLive = false
  readonly #feed: FeedAccess

  constructor(feed: FeedAccess) {
    this.#feed = feed
  }

  goOn(): void {
    const { broker, cursors } = this.#feed
    const missed = missedTopics(broker, cursors)
    cursors.moveTo(broker.position().seq)
    if (missed.length > 0) {
      if (this.#feed.tellGap({ topics: missed, reason: 'overflow' })) return
      this.#feed.tellCursor()
    }
    this.#feed.goLive()
  }

  retain(): void {
    // Nothing of the log is kept.
  }

  stop(): void {
    // Nothing goes on by itself.
  }
}
