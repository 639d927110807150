import type { StoredEvent } from '../event-log.ts'
import type { Position } from '../../wire/cursor.ts'
import type { PublishNotes } from '../../wire/publish-options.ts'

/**
 * The port between a replica and a remote log. An engine implements `LogEngine`, and calls a `LogListener`.
 * Connections, back-off and codecs are internal to the engine.
 *
 * The log has one order over all topics. An engine may fail, be slow or be disconnected at any time: it reports that by
 * a rejection or by `down`; what it has reported before stays true.
 */
export interface LogEngine {
  /** How long the log remembers a topic's last event at least, in milliseconds. */
  readonly memory: number

  /**
   * Sets the listener, and starts to connect. Called once, first. The engine keeps reconnecting until `close`, with
   * back-off that is reset only once the listener's `up` has resolved, not by a mere connection.
   */
  start(listener: LogListener): void

  /**
   * Appends events to the history of their topics, in this order, and sends each of them to every listening instance.
   *
   * Each event has its own result: its place in the log, or an error if it may not be there. Works whenever the log can
   * be written to, whether the listener is up or not.
   *
   * @returns one result per event, in order
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection, for all of them
   */
  append(events: readonly Outgoing[]): Promise<readonly (Appended | Error)[]>

  /**
   * Reads the state of the log and events of topics, atomically. Without wishes: only the state.
   *
   * Replies are paged: at most `page.bytes` of events, or one event if that is larger. A topic with further events has
   * `more`; the caller reads again from the last event it got. A reply to wishes that match any event has at least one.
   *
   * Reads may be concurrent. An engine bounds those in flight, serves them in order, and never delays `append` for
   * them. A read that makes progress does not time out.
   *
   * @param wishes topics without duplicates, at most `PAGE_TOPICS`
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection
   */
  read(wishes: readonly Wish[], page?: Page): Promise<LogPage>

  /**
   * Subscribes to topics: events appended after it has resolved are passed to `event`. Rejects if there is no
   * connection, or it is lost meanwhile. `down` ends all subscriptions.
   */
  listen(topics: readonly string[]): Promise<void>

  /** Unsubscribes. Events in flight may still arrive. */
  unlisten(topics: readonly string[]): void

  /**
   * Resolves when everything appended before this call, to subscribed topics, has been passed to `event`. That proves
   * that reads and subscriptions use the same log.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: the fence failed
   */
  fence(): Promise<void>

  /**
   * Begins a new epoch of a log that has lost acknowledged events, unless another instance has done so: every `seq` is
   * then over `lost.seq`. Every instance gets `renewed`.
   *
   * @param lost the old epoch, and the highest `seq` known to have been in it
   */
  renew(lost: Position): Promise<void>

  /** Drops the connection and reconnects: its data cannot be trusted. `down` follows, then `up`. */
  lose(error: unknown): void

  /** Releases all resources. Calls in progress reject; the listener is not called any more. */
  close(): void
}

/** Callbacks of an engine. Called without re-entrance, and never from inside a call of the engine's own methods. */
export interface LogListener {
  /**
   * The log can be read, listened to and fenced; there are no subscriptions yet. Resolves when the listener has caught
   * up, and rejects if it could not: the engine then reconnects after a pause.
   */
  up(): Promise<void>

  /** The connection is lost, or could not be made. Anything may be missed until `up`. */
  down(error: unknown): void

  /**
   * A connection for appends is lost, whether the log is up or not. The next one may reach another server, which may
   * lack events acknowledged on this one. An engine without such connections never calls it.
   */
  interrupted(): void

  /** An event of a subscribed topic. In the log's order within a topic, and each one once between `up` and `down`. */
  event(topic: string, event: LoggedEvent): void

  /** Another instance has begun a new epoch. */
  renewed(): void

  /** Whether the log accepts events. An engine that never calls it accepts them whenever it is up. */
  writable(isWritable: boolean, error?: unknown): void

  /** Whether events can be read from the log. An engine that never calls it can be read whenever it is up. */
  readable(isReadable: boolean, error?: unknown): void

  /** A message that is not from this log was received and skipped. */
  foreign(error: unknown): void
}

/** An event to be appended. */
export interface Outgoing extends PublishNotes {
  /** One or more, without duplicates. */
  readonly topics: readonly string[]
  /** The event's lines without `id:`. */
  readonly body: Uint8Array
}

/** The place of an event in the log. */
export interface Appended extends Position {
  /** When it was published, in milliseconds since 1970, by the log's clock. */
  readonly at: number
  /** Whether it is the place of an earlier event with the same key, so that nothing was appended. */
  readonly isRepeat: boolean
  /**
   * Its predecessor on each of its topics, in their order. For a repeat, `undefined` on topics that the first event may
   * not have had.
   */
  readonly previous: readonly (Predecessor | undefined)[]
}

/**
 * The predecessor of an event on its topic, or of the topic's end. "Not known" differs from "lost": a log does not
 * remember every topic forever, but it knows how far its memory reaches back.
 */
export type Predecessor =
  | {
      readonly isKnown: true
      /** The `seq` of the previous event, or 0 if there never was one. */
      readonly seq: number
    }
  | {
      readonly isKnown: false
      /** Nothing was published after this `seq`. */
      readonly seq: number
      /** Nor after this time, in milliseconds since 1970 by the log's clock: the log would know of anything newer. */
      readonly at: number
    }

/** An event of the log. Its frame has its own buffer, so that it keeps no larger one in memory. */
export interface LoggedEvent extends StoredEvent {
  readonly epoch: string
  /** Its predecessor on the topic that it was received for. */
  readonly previous: Predecessor
  /** Whether it has several topics, on some of which it may not have arrived yet. For an event from a read: `false`. */
  readonly isShared: boolean
}

/** The wanted events of a topic: those after a `seq`, oldest first, all or a number of them. */
export interface Wish {
  readonly topic: string
  readonly after: number
  /** Default: all. 0: none, only the predecessor of the topic's end and of the next event. */
  readonly count?: number
}

export interface Page {
  /** The size in bytes at which a reply ends. */
  readonly bytes: number
}

/** The result of `read`: the log's state, and the events of each topic at that moment. */
export interface LogPage {
  readonly state: LogState
  /** In the order of the wishes. */
  readonly topics: readonly TopicPage[]
}

export interface LogState extends Position {
  /** Events up to this `seq` are from an earlier epoch. */
  readonly base: number
  /** The log's clock, in milliseconds since 1970: events age by it. */
  readonly now: number
}

export interface TopicPage {
  readonly topic: string
  /** The topic's last event, as the predecessor of the next one. */
  readonly last: Predecessor
  /** If no events were wanted, and there are some after the place: the first of them, without its frame. */
  readonly next?: Pick<LoggedEvent, 'previous' | 'at'>
  /**
   * Oldest first. If the first one's predecessor is after the wanted start, the events in between are not in history.
   */
  readonly events: readonly LoggedEvent[]
  /** Whether there are more wanted events after the last of these. */
  readonly more: boolean
}

/** The most topics of one read: the log is blocked meanwhile. */
export const PAGE_TOPICS = 200

/** The default size of a page in bytes: small enough not to delay other commands. */
export const PAGE_BYTES = 262_144
