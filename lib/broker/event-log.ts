import type { Position } from '../wire/cursor.ts'
import type { EventHeaders, PublishNotes } from '../wire/publish-options.ts'
import type { HistoryLimits } from './history-policy.ts'

/** The log: assigns ids to events, keeps them in history, and delivers them to every listening instance. */
export interface EventLog {
  /**
   * Appends an event to the history of its topics at one new position, and delivers it to every instance.
   *
   * @param topics one or more, checked, without duplicates
   * @param body the event's lines without `id:`
   * @param notes a `key`: if the log has an event with it within the age of its history, nothing is published. And
   *   `headers`, stored with the event
   * @returns the event's id, or that of the first one with the key, once it is in history and sent out, and this
   *   instance has delivered it to its own streams or holds it
   * @throws {EventStreamError} `ERR_BROKER`: the event may or may not be in history
   */
  publish(topics: readonly string[], body: Uint8Array, notes?: PublishNotes): Promise<string>

  /**
   * Subscribes to a topic. Called once per topic until `unsubscribe`. When it has returned or resolved, every event
   * published from then on reaches the listener.
   */
  subscribe(topic: string): void | Promise<void>

  /** Unsubscribes from a topic. */
  unsubscribe(topic: string): void

  /**
   * Loads history of subscribed topics, so that `read` and `startOfLast` are synchronous; `position` is then no older
   * than this call. `since` is the oldest `seq` needed, 0 for all, `Infinity` for none; `epoch` is that of the client's
   * cursor, if it has one.
   */
  load(topics: readonly string[], since: number, epoch?: string): void | Promise<void>

  /**
   * The log's clock, in milliseconds since 1970, as estimated here: events are timestamped by it. Default: this
   * machine's clock.
   */
  time?(): number

  /** The end of the log, as far as this instance has seen. */
  position(): Position

  /**
   * Asks for the current end of the log; `position` is no older from then on.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: the log is unavailable
   */
  look(): Position | Promise<Position>

  /** Events of a subscribed topic after a `seq`, oldest first, at most `limit` of them. */
  read(topic: string, after: number, limit: number): Slice

  /**
   * The `seq` after which the last `count` events of a subscribed topic begin. If some of them are young enough for
   * history but were trimmed for its count or bytes: a place from which `read` returns `trimmed`.
   */
  startOfLast(topic: string, count: number): number

  /** What a topic remembers. For tests that have a history overflow; without it they cannot. */
  limitsOf?(topic: string): HistoryLimits

  /**
   * Begins a new life of the log, as one that has lost all its events does: another epoch, and every listener is told. For
   * tests of clients that have to start over; without it they cannot.
   *
   * @returns once this instance goes on in the new life
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection
   */
  lose?(): Promise<void>
}

/** An event in the log. */
export interface StoredEvent {
  readonly seq: number
  /** When it was published, in milliseconds since 1970. */
  readonly at: number
  /** The whole frame, including its `id:` line. */
  readonly frame: Uint8Array
  /** Headers set by the publisher, possibly with names unknown to this version. */
  readonly headers?: EventHeaders
}

/** A piece of a topic's history. */
export interface Slice {
  readonly events: readonly StoredEvent[]
  /** Whether there is more after the last of these events. */
  readonly more: boolean
  /** Whether history does not reach back to the requested start: events before the first one are lost. */
  readonly trimmed: boolean
  /** The `seq` after which history begins. It may exceed the log's position, if other topics are behind. */
  readonly start: number
}
