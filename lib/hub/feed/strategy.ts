import type { Broker } from '../../broker/broker.ts'
import type { Clock } from '../../clock.ts'
import type { Item } from '../../stream/write-queue.ts'
import type { Gap } from '../../wire/frame.ts'
import type { TopicCursors } from './cursors.ts'
import type { LogFrame } from './page.ts'

/** How a stream advances in the log. */
export interface Strategy {
  /** Whether events are delivered as they arrive. Otherwise they are read from history later. */
  readonly isLive: boolean
  /** Continues. Called at the start, and whenever the client has read everything. */
  goOn(): void
  /** Drops buffered events that must no longer be sent. */
  retain(isKept: (frame: LogFrame) => boolean): void
  /** Another strategy takes over, or the stream ends. */
  stop(): void
}

/** The feed as its strategies use it. */
export interface FeedAccess {
  readonly broker: Broker
  readonly clock: Clock
  readonly cursors: TopicCursors
  /** Whether this is still the feed's strategy. */
  isCurrent(strategy: Strategy): boolean
  /** Writes events read from history, or notices about them. */
  write(items: readonly Item[]): void
  /** Advances the cursors: everything up to this event is written, or about to be. */
  sent(seq: number): void
  /** Requests a call of `goOn` when the client has read everything. */
  awaitTaken(): void
  /** Whether topics are being added: `goOn` is called again once they are. */
  readonly isJoining: boolean
  /**
   * Tells the client that events are missing. Returns whether the strategy must stop: a snapshot has taken over, or a
   * listener of the gap has closed the stream.
   */
  tellGap(gap: Gap): boolean
  /** Sends the client the current end of the log as its cursor, and advances its topics to it. */
  tellCursor(): void
  /** History is exhausted: from this turn on, events are delivered as they arrive. */
  goLive(): void
}

const nothing = (): void => undefined

/** Does nothing: the stream has not started, or has ended. */
export const IDLE: Strategy = Object.freeze({ isLive: false, goOn: nothing, retain: nothing, stop: nothing })

/** Events are delivered as they arrive. */
export const LIVE: Strategy = Object.freeze({ isLive: true, goOn: nothing, retain: nothing, stop: nothing })
