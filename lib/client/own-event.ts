/** The data of the library's own events: `cursor`, `heartbeat`, `gap` and `goaway`. */
export interface OwnEvent {
  /** The server sends something at least every so many milliseconds. */
  readonly heartbeat?: number | null
  /** The reconnection delay in milliseconds: EventSource does not expose the field. */
  readonly retry?: number
  readonly reason?: string
  readonly topics?: readonly string[]
}

/** Parses the data of an event. Text that is not JSON is returned unchanged, and empty data as `undefined`. */
export function parseJson(data: string): unknown {
  if (!data) return undefined
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}

/** Parses the data of the library's own event. Never throws: a proxy may send anything. */
export function ownEvent(data: string): OwnEvent {
  return Object(parseJson(data)) as OwnEvent
}
