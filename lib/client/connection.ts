import type { Message } from './inbox.ts'
import type { Reason, State } from './reasons.ts'

/** Callbacks of a connection. */
export interface ConnectionHost {
  /** The state or its reason has changed. */
  changed(): void
  /** A stream without a cursor is open: earlier events are unknown. */
  began(): void
  message(message: Message): void
  failed(error: unknown): void
}

/** One logical stream over any number of attempts. */
export interface Connection {
  state: State
  reason: Reason
  /** The last id received. */
  lastId: string
  /** The URL of the last attempt, as the application returned it. */
  url: string
  start(): void
  /** Adds an event name to listen to. */
  listen(name: string): void
  end(reason: Reason): void
  /** Back-pressure: stops reading until `resume()`. */
  pause(): void
  resume(): void
}
