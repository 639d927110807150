import type { Broker, StoredEvent } from '../broker/broker.ts'
import { decodeFrame } from '../wire/frame.ts'

/** An event as a key function sees it. */
export interface ConflatedEvent {
  readonly topic: string
  /** Its name, `message` where it has none. */
  readonly event: string
  /** As it was sent: text, or JSON. */
  readonly data: string
}

/**
 * Says which events stand for one another: of those with the same key on the same topic the latest is enough.
 * `undefined` for an event that nothing stands for.
 */
export type ConflationKey = (event: ConflatedEvent) => string | undefined

/** What is left of what a client has missed. */
export interface Conflated {
  /** In the order of the log, each once. */
  readonly events: readonly StoredEvent[]
  /** Topics whose history does not reach back to what was missed first. */
  readonly trimmed: readonly string[]
}

// All of a topic's history.
const EVERYTHING = Number.MAX_SAFE_INTEGER

/** Reads what came on topics after a `seq`, and keeps the latest of each key. */
export function conflate(broker: Broker, topics: readonly string[], after: number, keyOf: ConflationKey): Conflated {
  const kept = new Map<number, StoredEvent>()
  const trimmed: string[] = []
  for (const topic of topics) {
    const slice = broker.read(topic, after, EVERYTHING)
    if (slice.trimmed) trimmed.push(topic)
    const keys = new Set<string>()
    // From the latest back: whatever has a key that was seen is older.
    for (const event of slice.events.toReversed()) {
      const key = keyOf({ topic, ...decodeFrame(event.frame) })
      if (key !== undefined && keys.has(key)) continue
      if (key !== undefined) keys.add(key)
      kept.set(event.seq, event)
    }
  }
  return { events: [...kept.values()].sort((a, b) => a.seq - b.seq), trimmed }
}
