import type { Broker } from '../../broker/broker.ts'
import type { Clock } from '../../clock.ts'
import type { Item } from '../../stream/write-queue.ts'
import type { Gap } from '../../wire/frame.ts'
import type { TopicCursors } from './cursors.ts'
import type { LogFrame } from './page.ts'

/** How a stream gets from its place in the log to the next one. */
export interface Strategy {
  /** Whether events are handed to it as they come. Otherwise they wait in history. */
  readonly isLive: boolean
  /** Goes on. Called at the beginning, and whenever the client has taken everything. */
  goOn(): void
  /** Forgets events that are not to be sent any more. */
  retain(isKept: (frame: LogFrame) => boolean): void
  /** Another strategy takes over, or the stream ends. */
  stop(): void
}

/** What a strategy works with: the stream's place in the log, and its way to the client. */
export interface FeedAccess {
  readonly broker: Broker
  readonly clock: Clock
  readonly cursors: TopicCursors
  /** Whether the strategy is still the stream's. */
  isCurrent(strategy: Strategy): boolean
  /** Writes what was read from history, or is told of it. */
  write(items: readonly Item[]): void
  /** Everything up to an event that was written has been brought to the client. */
  sent(seq: number): void
  /** Has `goOn` called when the client has taken everything. */
  awaitTaken(): void
  /** Whether topics are being added: the strategy is called again once they are. */
  readonly isJoining: boolean
  /**
   * Tells the client that events are missing. Answers whether another strategy has taken over to make up for them, or the
   * stream has been closed by somebody who was told.
   */
  tellGap(gap: Gap): boolean
  /** Tells the client where it stands, and brings its topics there. */
  tellCursor(): void
  /** Has read everything: events are handed on as they come, from this turn on. */
  goLive(): void
}

const nothing = (): void => undefined

/** Nothing is to be done: the stream has not been started, or has ended. */
export const IDLE: Strategy = Object.freeze({ isLive: false, goOn: nothing, retain: nothing, stop: nothing })

/** Events are handed on as they come. */
export const LIVE: Strategy = Object.freeze({ isLive: true, goOn: nothing, retain: nothing, stop: nothing })
