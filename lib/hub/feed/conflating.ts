import type { StoredEvent } from '../../broker/event-log.ts'
import type { ConflationKeys } from './conflation-keys.ts'
import { firstPage, FoundEvents, missedTopics, nextMissed, type LogFrame } from './page.ts'
import type { FeedAccess, Strategy } from './strategy.ts'

// Events that are looked at in one turn of the event loop: key functions may take their time.
const TURN_EVENTS = 128

/** What is found when a topic's missed events have been looked at, the latest of each key. */
type Latest = Map<string | StoredEvent, StoredEvent>

/**
 * Sends a slow client the latest event of each key of what it has missed, once it has read what waits; then what has come
 * meanwhile in the same way, until nothing has.
 */
export class Conflating implements Strategy {
  readonly isLive = false
  readonly #feed: FeedAccess
  readonly #keys: ConflationKeys
  readonly #failed: (error: unknown) => void
  #isScanning = false
  #left: readonly LogFrame[] = []
  #scannedTo = -1
  // The topics that are looked at, without those that are taken away meanwhile.
  #scanned = new Set<string>()

  /** @param failed is told what a key function throws */
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
    // Topics that are added meanwhile begin behind what is looked at.
    this.#scanned = new Set(cursors.topics)
    // An event of several topics is in the history of some before the log is known to have come so far.
    const end = Math.max(broker.position().seq, nextMissed(broker, cursors))
    const steps = this.#scanTopics([...cursors.topics], end)
    this.#isScanning = true
    const step = (): void => {
      if (!this.#feed.isCurrent(this)) return
      if (steps.next().done === true) {
        this.#isScanning = false
        // Not before topics that are being added have their place.
        if (this.#feed.isCurrent(this)) this.#feed.awaitTaken()
      } else this.#feed.clock.turn(step)
    }
    step()
  }

  // Yields whenever a turn of the event loop has done enough.
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
          // Whoever goes on from here does not find the same loss again.
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
