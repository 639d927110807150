import type { StoredEvent } from '../event-log.ts'
import type { Position } from '../../wire/cursor.ts'
import type { PublishNotes } from '../../wire/publish-options.ts'

/**
 * The port between a replica and a log that is somewhere else. An engine implements `LogEngine`, and calls what it was
 * given as a `LogListener`. Whatever an engine needs beside it (connections, back-off, codecs) is its own.
 *
 * The log has one order over all topics. An engine may fail, be slow or be cut off at any time: it says so, by a
 * rejection or by `down`, and nothing that it has told before becomes untrue.
 */
export interface LogEngine {
  /** For how many milliseconds the log remembers a topic's last event, at least. */
  readonly memory: number

  /**
   * Names the one listener, and begins to connect. Called once, before anything else. The engine goes on connecting until
   * `close`, with a pause that grows until `up` of the listener has resolved, which is more than a connection.
   */
  start(listener: LogListener): void

  /**
   * Puts events into the history of their topics, in this order, and hands each of them to every instance that listens.
   *
   * Each event is settled for itself: an answer says where it stands in the log, an error that it is not known to stand
   * there. Works whenever the log can be written to, whether the listener is up or not.
   *
   * @returns as many answers as there are events, in their order
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection, for all of them alike
   */
  append(events: readonly Outgoing[]): Promise<readonly (Appended | Error)[]>

  /**
   * Reads where the log stands, and what it has of topics, in one step. No wishes: only where it stands.
   *
   * Answers come in pages. An answer has at most `page.bytes` of events, or one event where that is larger. A topic of
   * which not all that was wished for fitted says `more`; the caller asks again, from the last event that it got. An
   * answer to wishes that have any events has at least one.
   *
   * Several reads may be under way. An engine bounds what it has in flight, serves them in the order in which they were
   * asked for, and makes `append` wait for none of them. A read that makes progress is not late, however long it takes.
   *
   * @param wishes topics without doubles, as many as the caller likes to have answered in one step (`PAGE_TOPICS` at most)
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection
   */
  read(wishes: readonly Wish[], page?: Page): Promise<LogPage>

  /**
   * Listens to topics: what is appended to them from the moment on in which this resolves is told by `event`. Rejects
   * where there is no connection just now, and where it is lost meanwhile. After `down` nothing is listened to.
   */
  listen(topics: readonly string[]): Promise<void>

  /** Stops listening. What is still on its way may come. */
  unlisten(topics: readonly string[]): void

  /**
   * Resolves when everything that was appended before this call, to topics that are listened to, has been told by
   * `event`. That it resolves proves that what is read and what is listened to are one log.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: nobody can tell
   */
  fence(): Promise<void>

  /**
   * Begins a new life of the log in place of one that has lost events which it had acknowledged, unless somebody else has
   * done so: another epoch, with every `seq` over `lost.seq`. Every instance is told by `renewed`.
   *
   * @param lost the epoch that is over, and the highest `seq` that is known to have been in it
   */
  renew(lost: Position): Promise<void>

  /** Gives the connection up and makes another one: what it says cannot be trusted. `down` follows, then `up`. */
  lose(error: unknown): void

  /** Lets go of everything. Calls that are under way reject; the listener is told nothing more. */
  close(): void
}

/** What an engine tells. Called without re-entrance, and never from inside a call of the engine's own methods. */
export interface LogListener {
  /**
   * The log can be read, listened to and fenced from now on; nothing is listened to yet. Resolves when the listener has
   * put in order what it missed, and rejects if it could not. An engine begins anew then, after a pause.
   */
  up(): Promise<void>

  /** The connection is lost, or has not been made. Anything may be missed from now on, until `up`. */
  down(error: unknown): void

  /**
   * A connection is lost on which events were appended, be the log up or not. Behind the next one may be another server,
   * which need not have what was acknowledged on this one. An engine without connections of that kind never tells.
   */
  interrupted(): void

  /** An event of a topic that is listened to. Of one topic in the order of the log, and each one once a life of `up`. */
  event(topic: string, event: LoggedEvent): void

  /** Somebody has begun a new life of the log. */
  renewed(): void

  /** Whether the log takes events. An engine that never tells takes them whenever it is up. */
  writable(isWritable: boolean, error?: unknown): void

  /** Whether what the log has of topics can be asked for. An engine that never tells can be asked whenever it is up. */
  readable(isReadable: boolean, error?: unknown): void

  /** Something came that is none of the log's, and was skipped. */
  foreign(error: unknown): void
}

/** An event on its way into the log. */
export interface Outgoing extends PublishNotes {
  /** One or more, without doubles. */
  readonly topics: readonly string[]
  /** The event's lines. */
  readonly body: Uint8Array
}

/** Where an event stands in the log. */
export interface Appended extends Position {
  /** When it was published, in milliseconds since 1970, by the log's own time. */
  readonly at: number
  /** Whether it is the place of an earlier event with the same key, and nothing was appended. */
  readonly isRepeat: boolean
  /**
   * What stands before it, on each of its topics, in the order of these. Of a repeat `undefined` on those topics on which the
   * first one is not known to stand: it may have had others.
   */
  readonly previous: readonly (Predecessor | undefined)[]
}

/**
 * What stands before an event on its topic, or at the topic's end. "Not known" is another answer than "lost": a log does
 * not remember every topic for ever, but it can always say from when on it would know.
 */
export type Predecessor =
  | {
      readonly isKnown: true
      /** The `seq` of the event before, or 0 if there never was one. */
      readonly seq: number
    }
  | {
      readonly isKnown: false
      /** Nothing was published after this `seq`. */
      readonly seq: number
      /** Nor after this time, in milliseconds since 1970 by the log's own time: of anything newer the log would know. */
      readonly at: number
    }

/** An event as the log has it. Its frame stands alone: it is no part of a larger buffer that it would keep in memory. */
export interface LoggedEvent extends StoredEvent {
  readonly epoch: string
  /** What stands before it on the topic that it was told or read of. */
  readonly previous: Predecessor
  /** Whether it is of several topics, and may not have been told of all of them yet. Of an event that was read: `false`. */
  readonly isShared: boolean
}

/** Which events of a topic are wished for: those after a `seq`, the oldest first, all of them or so many. */
export interface Wish {
  readonly topic: string
  readonly after: number
  /** Default: all. 0: none, but what stands at the topic's end, and before what comes `after`. */
  readonly count?: number
}

export interface Page {
  /** Bytes of events after which an answer ends. */
  readonly bytes: number
}

/** What `read` answers: where the log stood, and what it had of each topic at that moment. */
export interface LogPage {
  readonly state: LogState
  /** In the order of the wishes. */
  readonly topics: readonly TopicPage[]
}

export interface LogState extends Position {
  /** Events up to here are of an earlier life of the log. */
  readonly base: number
  /** The log's own time, in milliseconds since 1970: by it events age. */
  readonly now: number
}

export interface TopicPage {
  readonly topic: string
  /** The topic's last event, as what stands before the next one. */
  readonly last: Predecessor
  /** Where no events were wished for, and there are some after the place: the first of them, without its frame. */
  readonly next?: Pick<LoggedEvent, 'previous' | 'at'>
  /** Oldest first. If the first one's predecessor is over what was wished for, what is between is in no history. */
  readonly events: readonly LoggedEvent[]
  /** Whether there is more of what was wished for after the last of these events. */
  readonly more: boolean
}

/** Topics that are asked for in one step at most: whoever keeps a log does nothing else meanwhile. */
export const PAGE_TOPICS = 200

/** Bytes of events of a page, unless told otherwise: little enough to be no burden to anybody who waits behind it. */
export const PAGE_BYTES = 262_144
