import type { Broker } from '../../broker/broker.ts'
import type { StoredEvent } from '../../broker/event-log.ts'
import type { Frame } from '../../stream/write-queue.ts'
import type { TopicCursors } from './cursors.ts'

/** Bytes of history sent before the client must have read them. */
const PAGE_BYTES = 32_768
// Events read for a page, over all topics, and at least per topic. Those that do not fit are read again for the next
// page.
const PAGE_EVENTS = 256
const TOPIC_EVENTS = 16

/** An event of the log to be sent, with at least those of its topics by which it arrived. */
export interface LogFrame extends Frame {
  readonly event: StoredEvent
  readonly topics: readonly string[]
}

/** A piece of the merged history of several topics. */
export interface Page {
  /** In the order of the log, without duplicates. */
  readonly frames: readonly LogFrame[]
  /** Topics whose history no longer reaches back to their cursor. */
  readonly trimmed: readonly string[]
  /** Whether there is more history after this page. */
  readonly more: boolean
}

/**
 * Reads the history of several topics as one log, from a stream's cursor on each of them. The cursors of trimmed topics
 * are advanced to the start of their history.
 */
export function readPage(broker: Broker, cursors: TopicCursors): Page {
  const { topics } = cursors
  const limit = Math.max(TOPIC_EVENTS, Math.ceil(PAGE_EVENTS / Math.max(1, topics.length)))
  const trimmed: string[] = []
  const found = new FoundEvents()
  // The position up to which all topics have been read. Later events wait for the topics that have more.
  let horizon = Infinity
  for (const topic of topics) {
    const after = cursors.placeOf(topic)
    const slice = broker.read(topic, after, limit)
    if (slice.trimmed) {
      trimmed.push(topic)
      cursors.advance(topic, Math.max(slice.start, (slice.events[0]?.seq ?? broker.position().seq + 1) - 1))
    }
    if (slice.more) horizon = Math.min(horizon, slice.events.at(-1)?.seq ?? after)
    found.add(topic, slice.events)
  }
  const { frames, more } = firstPage(found.inOrder(), horizon)
  return { frames, trimmed, more: more || horizon !== Infinity }
}

/** The topics with missed events, in history or trimmed from it. */
export function missedTopics(broker: Broker, cursors: TopicCursors): string[] {
  return cursors.topics.filter(topic => {
    const { events, trimmed } = broker.read(topic, cursors.placeOf(topic), 1)
    return events.length > 0 || trimmed
  })
}

/** The `seq` of the first missed event that is in history, or 0. */
export function nextMissed(broker: Broker, cursors: TopicCursors): number {
  const next = cursors.topics.flatMap(topic => broker.read(topic, cursors.placeOf(topic), 1).events)
  return next.length === 0 ? 0 : Math.min(...next.map(({ seq }) => seq))
}

/** The first of these events, as many as fit into a page but at least one, up to the horizon. */
export function firstPage(
  frames: readonly LogFrame[],
  horizon = Infinity,
): { frames: readonly LogFrame[]; more: boolean } {
  let bytes = 0
  for (const [index, { event }] of frames.entries()) {
    bytes += event.frame.length
    if (event.seq > horizon || (bytes > PAGE_BYTES && index > 0)) return { frames: frames.slice(0, index), more: true }
  }
  return { frames, more: false }
}

/** Merges the histories of topics; an event published to several of them is in each. */
export class FoundEvents {
  readonly #found: LogFrame[] = []

  /** Adds events of a topic, in the order of the log. */
  add(topic: string, events: Iterable<StoredEvent>): void {
    // Shared by all events found on this topic only.
    const topics = [topic]
    for (const event of events) this.#found.push({ frame: event.frame, event, topics })
  }

  /** In the order of the log, without duplicates. */
  inOrder(): LogFrame[] {
    // Each history is already sorted, so that sorting (TimSort) merely merges them.
    const found = this.#found.sort((a, b) => a.event.seq - b.event.seq)
    const frames: LogFrame[] = []
    for (const frame of found) {
      const last = frames.at(-1)
      if (last?.event.seq === frame.event.seq) {
        frames[frames.length - 1] = { ...last, topics: [...new Set([...last.topics, ...frame.topics])] }
      } else frames.push(frame)
    }
    return frames
  }
}
