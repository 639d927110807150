/** What the library's own events tell: types that pages share, which know nothing of Node. */

/** Why events are missing from a stream. */
export type GapReason =
  /** History no longer reaches back to the cursor. */
  | 'trimmed'
  /** The log lost its history and began a new life. */
  | 'epoch'
  /** The cursor is none that the log has given out. */
  | 'unknown'
  /** The client was too slow, and events were dropped. */
  | 'overflow'

/** What the data of a `gap` event holds, as JSON. */
export interface Gap {
  readonly topics: readonly string[]
  readonly reason: GapReason
}

/** What a client is told once it has caught up: the data of a `cursor` event, as JSON. */
export interface Arrival {
  /** The `id` of the stream, for logs. */
  readonly stream: string
  /** After so many milliseconds of silence something is wrong; `null` where the server sends no heartbeats. */
  readonly heartbeat: number | null
}
