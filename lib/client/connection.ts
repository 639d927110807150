import type { Message } from './inbox.ts'
import type { Reason, State } from './reasons.ts'

/** What a connection tells. */
export interface ConnectionHost {
  /** The state, or the reason for it, has changed. */
  changed(): void
  /** A stream stands that began without a cursor: what came before it is not known. */
  began(): void
  message(message: Message): void
  failed(error: unknown): void
}

/** One stream over any number of attempts. */
export interface Connection {
  state: State
  reason: Reason
  /** The last id that was seen. */
  lastId: string
  /** The URL of the last attempt, as the application gave it. */
  url: string
  start(): void
  /** Shows events of another name from now on. */
  listen(name: string): void
  end(reason: Reason): void
  /** More comes than is taken: nothing is to come until `resume()`. */
  pause(): void
  resume(): void
}
