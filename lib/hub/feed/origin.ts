import type { Broker } from '../../broker/broker.ts'
import type { Cursor, Position } from '../../wire/cursor.ts'
import type { GapReason } from '../../wire/frame.ts'
import type { Snapshot } from './snapshotting.ts'

/** A topic to add to a stream. */
export interface TopicStart {
  readonly topic: string
  /** How many of its latest events a new client gets. */
  readonly replay: number
  /** Creates the topic's state, for clients that cannot resume from history. */
  readonly snapshot: Snapshot | undefined
  /** Info about the present identity, as JSON. */
  readonly presence?: string | undefined
}

/** The end of the log at some moment. */
export interface Standing {
  readonly position: Position
  /** `false` if the log could not be asked: its end is then at this position or later. */
  readonly isKnown: boolean
}

/** Where a stream's topics start from. */
export interface Origin {
  /** The client's cursor. */
  readonly cursor: Cursor
  /** The end of the log when the topics were requested: events published since must not be missed. */
  readonly position: Position
  /** The client's cursor for added topics that it had on another stream. */
  readonly seen?: Cursor
}

/** A topic without options. */
export function plainStart(topic: string): TopicStart {
  return { topic, replay: 0, snapshot: undefined }
}

/** Why a client cannot resume from its origin; `undefined` if it can. */
export function whyLost({ cursor, position }: Origin, now: Position): GapReason | undefined {
  if (cursor === 'unknown') return 'unknown'
  if (cursor === undefined) return position.epoch === now.epoch ? undefined : 'epoch'
  if (cursor.epoch !== now.epoch) return 'epoch'
  return cursor.seq > now.seq ? 'unknown' : undefined
}

/**
 * The added topics with events between `seen` and the position from which they are live. Those events cannot be sent,
 * since the ids on a stream must increase.
 */
export function missedOf(topics: readonly string[], { seen, position }: Origin, broker: Broker): readonly string[] {
  if (typeof seen !== 'object') return seen === undefined ? [] : topics
  if (seen.epoch !== position.epoch || seen.seq > position.seq) return topics
  return topics.filter(topic => {
    const { events, trimmed } = broker.read(topic, seen.seq, 1)
    return trimmed || (events[0]?.seq ?? Infinity) <= position.seq
  })
}

/** The `seq` after which a new client gets a topic's events. */
export function startOf({ topic, replay }: TopicStart, { seq }: Position, broker: Broker): number {
  return replay === 0 ? seq : Math.min(seq, broker.startOfLast(topic, replay))
}

/** The position after which history may be needed. */
export function oldestOfInterest({ cursor, position, seen }: Origin, starts: readonly TopicStart[]): Position {
  if (typeof cursor === 'object') return cursor
  if (typeof seen === 'object' && seen.epoch === position.epoch && seen.seq < position.seq) return seen
  const isAsked = cursor === undefined && starts.some(({ replay }) => replay > 0)
  return isAsked ? { ...position, seq: 0 } : position
}
