/** What the server's library says in its `cursor`, `heartbeat`, `gap` and `goaway`. */
export interface OwnEvent {
  /** Something comes every so many milliseconds at least. */
  readonly heartbeat?: number | null
  /** How long to wait before a reconnect, in milliseconds: an EventSource does not show the field. */
  readonly retry?: number
  readonly reason?: string
  readonly topics?: readonly string[]
}

/** Reads the data of an event. What is no JSON is handed on as it is, and data that is empty as `undefined`. */
export function parseJson(data: string): unknown {
  if (!data) return undefined
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}

/** Reads the data of an event of the library's own. One bad answer of a proxy must not throw. */
export function ownEvent(data: string): OwnEvent {
  return Object(parseJson(data)) as OwnEvent
}
