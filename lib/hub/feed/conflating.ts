import type { StoredEvent } from '../../broker/event-log.ts'
import type { ConflationKeys } from './conflation-keys.ts'
import { firstPage, FoundEvents, missedTopics, nextMissed, type LogFrame } from './page.ts'
import type { FeedAccess, Strategy } from './strategy.ts'

// Events examined per turn of the event loop: key functions may be slow.
const TURN_EVENTS = 128

/** The latest of a topic's missed events by key; an event without a key is its own key. */
type Latest = Map<string | StoredEvent, StoredEvent>

/**
 * Once a slow client has read what is buffered, sends it the latest event of each key among those it has missed.
 * Repeats with the events published meanwhile until there are none.
 */
export class Conflating implements Strategy {
  readonly isLive = false
  readonly #feed: FeedAccess
  readonly #keys: ConflationKeys
  readonly #failed: (error: unknown) => void
  #isScanning = false
  #left: readonly LogFrame[] = []
  #scannedTo = -1
  // The topics being scanned, without those removed meanwhile.
  #scanned = new Set<string>()

  /** @param failed called with the error of a key function */
  constructor(feed: FeedAccess, keys: ConflationKeys, failed: (error: unknown) => void) {
    this.#feed = feed
    this.#keys = keys
    this.#failed = failed
  }

  goOn(): void {
    if (this.#isScanning) return
    if (this.#left.length > 0) {
      this.#sendPage()
      return
    }
    const { broker, cursors } = this.#feed
    if (this.#scannedTo >= 0) cursors.moveTo(this.#scannedTo)
    if (missedTopics(broker, cursors).length > 0) this.#scan()
    else this.#feed.goLive()
  }

  retain(isKept: (frame: LogFrame) => boolean): void {
    this.#left = this.#left.filter(isKept)
    for (const topic of this.#scanned) if (!this.#feed.cursors.has(topic)) this.#scanned.delete(topic)
  }

  stop(): void {
    this.#left = []
  }

  #sendPage(): void {
    const { frames } = firstPage(this.#left)
    this.#left = this.#left.slice(frames.length)
    const last = frames.at(-1)
    if (last !== undefined) this.#feed.sent(last.event.seq)
    this.#feed.write(frames)
    this.#feed.awaitTaken()
  }

  #scan(): void {
    const { broker, cursors } = this.#feed
    // Topics added meanwhile start after the scanned range.
    this.#scanned = new Set(cursors.topics)
    // An event may be in the history of one of its topics before the known position of the log includes it.
    const end = Math.max(broker.position().seq, nextMissed(broker, cursors))
    const steps = this.#scanTopics([...cursors.topics], end)
    this.#isScanning = true
    const step = (): void => {
      if (!this.#feed.isCurrent(this)) return
      if (steps.next().done === true) {
        this.#isScanning = false
        // Deferred until topics that are being added have their cursor.
        if (this.#feed.isCurrent(this)) this.#feed.awaitTaken()
      } else this.#feed.clock.turn(step)
    }
    step()
  }

  // Yields once per turn of the event loop.
  *#scanTopics(topics: readonly string[], end: number): Generator<void, void> {
    const { broker, cursors } = this.#feed
    const found = new FoundEvents()
    const trimmed: string[] = []
    for (const topic of topics) {
      const latest: Latest = new Map()
      let after = cursors.placeOf(topic)
      for (let more = true; more;) {
        const slice = broker.read(topic, after, TURN_EVENTS)
        if (slice.trimmed && !trimmed.includes(topic)) {
          trimmed.push(topic)
          // Advance past the loss, so that it is not reported again.
          cursors.advance(topic, Math.max(slice.start, (slice.events[0]?.seq ?? end + 1) - 1))
        }
        for (const event of slice.events) if (event.seq <= end) this.#note(latest, topic, event)
        after = slice.events.at(-1)?.seq ?? end
        more = slice.more && after < end
        if (slice.events.length > 0) yield
      }
      found.add(topic, latest.values())
    }
    this.#scannedTo = end
    this.#left = found.inOrder().filter(({ topics: own }) => own.some(topic => this.#scanned.has(topic)))
    const lost = trimmed.filter(topic => this.#scanned.has(topic))
    if (lost.length > 0) this.#feed.tellGap({ topics: lost, reason: 'trimmed' })
  }

  #note(latest: Latest, topic: string, event: StoredEvent): void {
    let key: string | undefined
    try {
      key = this.#keys.of(topic, event)
    } catch (error) {
      this.#failed(error)
    }
    latest.set(key ?? event, event)
  }
}
