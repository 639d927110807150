import type { EventRules } from '../wire/publication.ts'
import type { CloseReason } from './close-reason.ts'
import type { Sink } from './sink.ts'
import type { WriterHost } from './writer.ts'

/** The interface of the hub to its streams. */
export interface StreamHost extends WriterHost, EventRules {
  /** Whether the stream is still being opened: nothing reads it yet. */
  readonly isOpening: boolean
  /** Whether the stream has topics: its event ids are the hub's cursors then. */
  readonly hasTopics: boolean
  /** The most bytes that may be buffered for the client. */
  readonly bufferBytes: number
  /** Wraps a sink in one that compresses, or returns it as it is. */
  encode(sink: Sink): Sink
  /** The first bytes of the response's body. */
  firstBytes(): Uint8Array
  /** The last block of a stream that ends for this reason, if any. */
  lastBlock(reason: CloseReason): Uint8Array | undefined
  /**
   * Whether the response must be cut when the stream ends for this reason: without a last block the client could not
   * tell an incomplete response from a complete one.
   */
  mustCut(reason: CloseReason): boolean
  /** Writes the events that are due in this turn of the event loop. */
  flush(): void
  subscribe(topics: readonly string[]): Promise<void>
  unsubscribe(topics: readonly string[]): void
  /** Called once, when the stream begins to end: nothing more is accepted. */
  closing(reason: CloseReason): void
  /** Called once, when the stream and its response have closed. */
  closed(): void
}

/** The interface of the connection to the stream that it carries. */
export interface StreamConnection {
  /** Why the stream or its response was ended by something other than this library. */
  whyEnded(): CloseReason
  /** Reports an error that the stream was destroyed with. Must not throw. */
  failed(error: Error): void
  /** Cuts the response. */
  cut(): void
  /** Whether the response has closed. */
  readonly isGone: boolean
  /** Bytes buffered in the response, and a number that changes whenever the client has taken some. */
  readonly pendingBytes: number
  readonly progress: number
  onceGone(listener: () => void): void
}

/** The connection of a stream that has none yet. */
export const NO_CONNECTION: StreamConnection = Object.freeze({
  whyEnded: () => 'client',
  failed: () => undefined,
  cut: () => undefined,
  isGone: true,
  pendingBytes: 0,
  progress: 0,
  onceGone: (listener: () => void) => {
    listener()
  },
})

/** Notified of what a stream has sent to its client. */
export interface StreamNews {
  /** Events, or a gap, have been sent. */
  carried(): void
  /** The client has been told that it is up to date. */
  caughtUp(): void
}
