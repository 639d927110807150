import { missedTopics } from './page.ts'
import type { FeedAccess, Strategy } from './strategy.ts'

/** Once a slow client has read what is buffered, drops the events it has missed and sends a gap. */
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
    // Nothing is buffered.
  }

  stop(): void {
    // Nothing is in progress between calls.
  }
}
