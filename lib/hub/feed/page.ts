import type { Broker } from '../../broker/broker.ts'
import type { StoredEvent } from '../../broker/event-log.ts'
import type { Frame } from '../../stream/write-queue.ts'
import type { TopicCursors } from './cursors.ts'

/** How many bytes of history go out before the reader has to have taken them. */
const PAGE_BYTES = 32_768
// How many events are looked at for a page, over all topics, and of each topic at least: what lies behind the page is
// read again for the next one.
const PAGE_EVENTS = 256
const TOPIC_EVENTS = 16

/** An event of the log on its way to a client, with the topics by which it comes: those that it was seen on, at least. */
export interface LogFrame extends Frame {
  readonly event: StoredEvent
  readonly topics: readonly string[]
}

/** A piece of the history of several topics. */
export interface Page {
  /** In the order of the log, each once. */
  readonly frames: readonly LogFrame[]
  /** Topics whose history does not reach back to where the page was to begin. */
  readonly trimmed: readonly string[]
  /** Whether history goes on after this page. */
  readonly more: boolean
}

/**
 * Reads the history of several topics as one log, from where a stream is on each of them. Topics of which something is
 * trimmed are brought to where their history begins.
 */
export function readPage(broker: Broker, cursors: TopicCursors): Page {
  const { topics } = cursors
  const limit = Math.max(TOPIC_EVENTS, Math.ceil(PAGE_EVENTS / Math.max(1, topics.length)))
  const trimmed: string[] = []
  const found = new FoundEvents()
  // Up to here all topics have been read; what lies behind must wait for the ones that have more.
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

/** The topics of which a stream has missed something that is in history, or was. */
export function missedTopics(broker: Broker, cursors: TopicCursors): string[] {
  return cursors.topics.filter(topic => {
    const { events, trimmed } = broker.read(topic, cursors.placeOf(topic), 1)
    return events.length > 0 || trimmed
  })
}

/** The `seq` of the next event that is in history of what a stream has missed, or 0. */
export function nextMissed(broker: Broker, cursors: TopicCursors): number {
  const next = cursors.topics.flatMap(topic => broker.read(topic, cursors.placeOf(topic), 1).events)
  return next.length === 0 ? 0 : Math.min(...next.map(({ seq }) => seq))
}

/** The first of these events that fit into a page, at least one. */
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

/** Events that were found on topics; one that was published to several stands in the history of each. */
export class FoundEvents {
  readonly #found: LogFrame[] = []

  /** Adds events of a topic, in the order of the log. */
  add(topic: string, events: Iterable<StoredEvent>): void {
    // All that have come by this topic alone share the list.
    const topics = [topic]
    for (const event of events) this.#found.push({ frame: event.frame, event, topics })
  }

  /** In the order of the log, each once. */
  inOrder(): LogFrame[] {
    // The histories that were added are in order each, and sorting does little more than to merge them.
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
