import type { Position } from '../wire/cursor.ts'
import type { EventHeaders, PublishNotes } from '../wire/publish-options.ts'
import type { HistoryLimits } from './history-policy.ts'

/** The log: it gives events their ids, remembers them for a while, and hands them to every instance that listens. */
export interface EventLog {
  /**
   * Puts an event into the history of its topics under one new position, and hands it to every instance.
   *
   * @param topics one or more, checked, without doubles
   * @param body the event's lines without its `id:`
   * @param notes a `key`: where the log has an event with it that is not older than its history, nothing is published. And
   *   `headers`, which the log keeps with the event
   * @returns the event's id, or that of the first one with the key, once it is in history and handed over, and this instance
   *   has handed it to its own streams or holds it
   * @throws {EventStreamError} `ERR_BROKER`: it is not known to be in history, and nobody need expect it
   */
  publish(topics: readonly string[], body: Uint8Array, notes?: PublishNotes): Promise<string>

  /**
   * Begins to listen to a topic. Called once a topic until `unsubscribe`.
   * When it has returned or resolved, every event published from then on reaches the listener.
   */
  subscribe(topic: string): void | Promise<void>

  /** Stops listening to a topic. */
  unsubscribe(topic: string): void

  /**
   * Fetches history of subscribed topics into reach, so that `read` and `startOfLast` can answer at once; `position` is
   * then no older than this call. `since` is the oldest `seq` of interest, 0 for all there is, `Infinity` for none;
   * `epoch` is the life of the log that it is of, where a client has said so.
   */
  load(topics: readonly string[], since: number, epoch?: string): void | Promise<void>

  /**
   * The log's own time, in milliseconds since 1970, as far as it is known here: by it is said when an event was published.
   * Default: that of this machine.
   */
  time?(): number

  /** Where the log stands, as far as this instance has seen. */
  position(): Position

  /**
   * Asks where the log stands now; `position` is no older from then on.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: nobody can tell just now
   */
  look(): Position | Promise<Position>

  /** Events of a subscribed topic after a `seq`, oldest first, at most `limit` of them. */
  read(topic: string, after: number, limit: number): Slice

  /**
   * The `seq` after which the last `count` events of a subscribed topic begin. Where some of them are young enough to be in
   * history, and are not, since their count or bytes were over its limits: a place from which `read` says `trimmed`.
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
  /** The whole frame, its `id:` line included. */
  readonly frame: Uint8Array
  /** What its publisher said of it, in names that this version may not know. */
  readonly headers?: EventHeaders
}

/** A piece of a topic's history. */
export interface Slice {
  readonly events: readonly StoredEvent[]
  /** Whether there is more after the last of these events. */
  readonly more: boolean
  /** Whether history does not reach back to where the slice was to begin: events before the first one are lost. */
  readonly trimmed: boolean
  /** The `seq` behind which history begins. It may be over the position, of which other topics know less. */
  readonly start: number
}
