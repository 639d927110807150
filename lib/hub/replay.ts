import type { Broker, StoredEvent } from '../broker/broker.ts'

/** How many bytes of history go out before the reader has to have taken them. */
const PAGE_BYTES = 32_768
// How many events are looked at for a page, over all topics, and of each topic at least: what lies behind the page is
// read again for the next one.
const PAGE_EVENTS = 256
const TOPIC_EVENTS = 16

/** A piece of the history of several topics. */
export interface Page {
  /** In the order of the log, each once. */
  readonly events: readonly StoredEvent[]
  /** Topics whose history does not reach back to where the page was to begin. */
  readonly trimmed: readonly string[]
  /** Whether history goes on after this page. */
  readonly more: boolean
}

/** Reads the history of several topics as one log, a page at a time. */
export class Replay {
  readonly #broker: Broker
  // Where each topic begins to matter, whatever the reader's place.
  readonly #starts: Map<string, number>

  constructor(broker: Broker, starts: ReadonlyMap<string, number>) {
    this.#broker = broker
    this.#starts = new Map(starts)
  }

  /** Takes in another topic, from a `seq` on. */
  add(topic: string, start: number): void {
    if (!this.#starts.has(topic)) this.#starts.set(topic, start)
  }

  delete(topic: string): void {
    this.#starts.delete(topic)
  }

  /** The page that follows a `seq`. */
  next(after: number): Page {
    const trimmed: string[] = []
    const found: StoredEvent[] = []
    const limit = Math.max(TOPIC_EVENTS, Math.ceil(PAGE_EVENTS / this.#starts.size))
    // Up to here all topics have been read; what lies behind must wait for the ones that have more.
    let horizon = Infinity
    for (const [topic, start] of this.#starts) {
      const slice = this.#broker.read(topic, Math.max(after, start), limit)
      if (slice.trimmed) {
        trimmed.push(topic)
        // Told once: the next page begins behind what is lost.
        this.#starts.set(topic, (slice.events[0]?.seq ?? this.#broker.position().seq + 1) - 1)
      }
      if (slice.more) horizon = Math.min(horizon, slice.events.at(-1)?.seq ?? after)
      for (const event of slice.events) found.push(event)
    }
    const { events, more } = firstPage(inOrder(found), horizon)
    return { events, trimmed, more: more || horizon !== Infinity }
  }
}

/** Events by `seq`, each once: one that was published to several topics stands in the history of each. */
function inOrder(events: StoredEvent[]): StoredEvent[] {
  events.sort((a, b) => a.seq - b.seq)
  return events.filter((event, index) => event.seq !== events[index - 1]?.seq)
}

/** The first of these events that fit into a page, at least one. */
export function firstPage(
  events: readonly StoredEvent[],
  horizon = Infinity,
): { events: readonly StoredEvent[]; more: boolean } {
  let bytes = 0
  for (const [index, event] of events.entries()) {
    bytes += event.frame.length
    if (event.seq > horizon || (bytes > PAGE_BYTES && index > 0)) return { events: events.slice(0, index), more: true }
  }
  return { events, more: false }
}
