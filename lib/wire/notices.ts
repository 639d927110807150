/** The data of the library's own events: types shared with browsers, without Node. */

/** Why events are missing from a stream. */
export type GapReason =
  /** History no longer reaches back to the cursor. */
  | 'trimmed'
  /** The log lost its history and began a new epoch. */
  | 'epoch'
  /** The cursor is not one of this log. */
  | 'unknown'
  /** The client was too slow, and events were dropped. */
  | 'overflow'

/** The data of a `gap` event, as JSON. */
export interface Gap {
  readonly topics: readonly string[]
  readonly reason: GapReason
}

/** The data of a `cursor` event, as JSON: sent once the client has caught up. */
export interface Arrival {
  /** The `id` of the stream, for logs. */
  readonly stream: string
  /** Milliseconds of silence after which the connection is broken; `null` if the server sends no heartbeats. */
  readonly heartbeat: number | null
}
