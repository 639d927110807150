import type { Position } from '../wire/cursor.ts'
import type { GapReason } from '../wire/frame.ts'

/**
 * The contract between the hub and an engine. An engine keeps the log: it gives events their ids, remembers them for a
 * while, and hands them to every instance that listens.
 *
 * The hub is the one caller. It calls `listen` once, before anything else, and `close` once, after everything else.
 */
export interface Broker {
  /** Whether the engine can do its work just now. */
  readonly ready: boolean

  /** Names the one listener of this instance. Its methods are called without re-entrance, in the order of the log. */
  listen(listener: BrokerListener): void

  /**
   * Puts an event into the history of its topics under one new position, and hands it to every instance.
   *
   * @param topics one or more, checked, without doubles
   * @param body the event's lines without its `id:`
   * @returns the event's id, once it is in history and handed over
   * @throws {EventStreamError} `ERR_BROKER`: it is not known to be in history, and nobody need expect it
   */
  publish(topics: readonly string[], body: Uint8Array): Promise<string>

  /**
   * Begins to listen to a topic. Called once a topic until `unsubscribe`.
   * When it has returned or resolved, every event published from then on reaches the listener.
   */
  subscribe(topic: string): void | Promise<void>

  /** Stops listening to a topic. */
  unsubscribe(topic: string): void

  /**
   * Fetches history of subscribed topics into reach, so that `read` and `latest` can answer at once; `position` is then
   * no older than this call. `since` is the oldest `seq` of interest, 0 for all there is, `Infinity` for none; `epoch`
   * is the life of the log that it is of, where a client has said so.
   */
  load(topics: readonly string[], since: number, epoch?: string): void | Promise<void>

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

  /** The `seq` after which the last `count` events of a subscribed topic begin. */
  startOfLast(topic: string, count: number): number

  /** Hands a message to all instances, this one included, whatever their topics. */
  announce(message: ControlMessage): Promise<void>

  /** Small values that all instances share. */
  readonly store: KeyValueStore

  /** Places that all instances share. */
  readonly leases: LeaseStore

  /** Lets go of everything. Nothing reaches the listener any more. */
  close(): Promise<void>
}

/** What an instance hears from its engine. */
export interface BrokerListener {
  /** An event that was published to these topics, of those that this instance is subscribed to. */
  event(topics: readonly string[], event: StoredEvent): void
  /** Events of these topics were lost to this instance and are in no history. */
  gap(topics: readonly string[], reason: GapReason): void
  /** A message that some instance announced. */
  control(message: ControlMessage): void
  /** The engine can do its work now, or has lost its way to do it. `error` says why. */
  readiness(ready: boolean, error?: unknown): void
  /** Something failed that no caller hears of. `during` names the part. */
  fault(during: string, error: unknown): void
}

/** An event in the log. */
export interface StoredEvent {
  readonly seq: number
  /** When it was published, in milliseconds since 1970. */
  readonly at: number
  /** The whole frame, its `id:` line included. */
  readonly frame: Uint8Array
}

/** A piece of a topic's history. */
export interface Slice {
  readonly events: readonly StoredEvent[]
  /** Whether there is more after the last of these events. */
  readonly more: boolean
  /** Whether history does not reach back to where the slice was to begin: events before the first one are lost. */
  readonly trimmed: boolean
}

/** What instances tell each other. */
export interface ControlMessage {
  readonly type: 'disconnect'
  readonly identity?: string
  readonly session?: string
  readonly token?: string
  readonly reason: 'server' | 'done' | 'logout' | 'revoked'
}

/** Small values with an end, shared by all instances. Keys are the package's own, values are short strings. */
export interface KeyValueStore {
  /** Remembers a value for so many milliseconds. */
  set(key: string, value: string, ttl: number): Promise<void>
  get(key: string): Promise<string | undefined>
  /** Reads a value and removes it, in one step: of any number of callers one gets it. */
  take(key: string): Promise<string | undefined>
}

/** Who has one of the places of a key. Both words are the package's own. */
export interface Lease {
  readonly key: string
  readonly holder: string
}

/** Places shared by all instances. They end unless they are renewed, so that those of an instance that died become free. */
export interface LeaseStore {
  /**
   * Takes a place for so many milliseconds if fewer than `most` of the key's places are taken, in one step. Who has one
   * already keeps it. Answers whether the holder has one now.
   */
  lease(lease: Lease, ttl: number, most: number): Promise<boolean>
  /** Prolongs leases, and takes places for those that have ended, however many are taken. Any number of leases. */
  renew(leases: readonly Lease[], ttl: number): Promise<void>
  /** Gives places back. Any number of leases, held or not. */
  release(leases: readonly Lease[]): Promise<void>
}
