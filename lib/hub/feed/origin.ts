import type { Broker } from '../../broker/broker.ts'
import type { Cursor, Position } from '../../wire/cursor.ts'
import type { GapReason } from '../../wire/frame.ts'
import type { Snapshot } from './snapshotting.ts'

/** A topic that a stream is to have. */
export interface TopicStart {
  readonly topic: string
  /** How many of its latest events a newcomer gets. */
  readonly replay: number
  /** Makes the topic's state, for those who cannot go on from history. */
  readonly snapshot: Snapshot | undefined
  /** What is said of the identity that is present there, as JSON. */
  readonly presence?: string | undefined
}

/** Where the log stood at a moment. */
export interface Standing {
  readonly position: Position
  /** `false` where the log could not be asked: it has come as far as this, at least. */
  readonly isKnown: boolean
}

/** Where a stream comes from. */
export interface Origin {
  /** What the client says that it has seen. */
  readonly cursor: Cursor
  /** Where the log stood when the topics were asked for: what was published since is not missed. */
  readonly position: Position
  /** Up to where the client has seen the topics that are added: it had them on another stream. */
  readonly seen?: Cursor
}

/** A topic without wishes. */
export function plainStart(topic: string): TopicStart {
  return { topic, replay: 0, snapshot: undefined }
}

/** Why a client cannot go on from where it comes, if it cannot. */
export function whyLost({ cursor, position }: Origin, now: Position): GapReason | undefined {
  if (cursor === 'unknown') return 'unknown'
  if (cursor === undefined) return position.epoch === now.epoch ? undefined : 'epoch'
  if (cursor.epoch !== now.epoch) return 'epoch'
  return cursor.seq > now.seq ? 'unknown' : undefined
}

/**
 * The topics of which there is something between the place up to which the client has seen them and the one where they
 * are live. It cannot be sent any more, since ids on a stream rise.
 */
export function missedOf(topics: readonly string[], { seen, position }: Origin, broker: Broker): readonly string[] {
  if (typeof seen !== 'object') return seen === undefined ? [] : topics
  if (seen.epoch !== position.epoch || seen.seq > position.seq) return topics
  return topics.filter(topic => {
    const { events, trimmed } = broker.read(topic, seen.seq, 1)
    return trimmed || (events[0]?.seq ?? Infinity) <= position.seq
  })
}

/** The `seq` from which on a newcomer gets a topic's events. */
export function startOf({ topic, replay }: TopicStart, { seq }: Position, broker: Broker): number {
  return replay === 0 ? seq : Math.min(seq, broker.startOfLast(topic, replay))
}

/** The place in the log from which on history may be needed. */
export function oldestOfInterest({ cursor, position, seen }: Origin, starts: readonly TopicStart[]): Position {
  if (typeof cursor === 'object') return cursor
  if (typeof seen === 'object' && seen.epoch === position.epoch && seen.seq < position.seq) return seen
  const isAsked = cursor === undefined && starts.some(({ replay }) => replay > 0)
  return isAsked ? { ...position, seq: 0 } : position
}
