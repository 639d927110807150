import type { EventRules } from '../wire/publication.ts'
import type { CloseReason } from './close-reason.ts'
import type { Sink } from './sink.ts'
import type { WriterHost } from './writer.ts'

/** What a stream needs of the hub that it lives in. */
export interface StreamHost extends WriterHost, EventRules {
  /** Whether the stream is only being prepared: nobody reads it yet. */
  readonly isOpening: boolean
  /** Whether the stream has topics of the hub: its ids are the hub's cursor then. */
  readonly hasTopics: boolean
  /** The most bytes that may wait for the client. */
  readonly bufferBytes: number
  /** The sink that takes the stream's bytes for one that takes them as they are sent: compressed, or the same. */
  encode(sink: Sink): Sink
  /** The first bytes of the response's body. */
  firstBytes(): Uint8Array
  /** The last block of a stream that ends for a reason, if there is to be one. */
  lastBlock(reason: CloseReason): Uint8Array | undefined
  /**
   * Whether the response has to break off at an end for this reason: without a last block its client could not tell it from
   * one that is whole.
   */
  mustCut(reason: CloseReason): boolean
  /** Writes the events that are due to the stream in this turn of the event loop. */
  flush(): void
  subscribe(topics: readonly string[]): Promise<void>
  unsubscribe(topics: readonly string[]): void
  /** Called once, when the stream begins to end: nothing more will be accepted. */
  closing(reason: CloseReason): void
  /** Called once, when nothing is left of the stream. */
  closed(): void
}

/** What a stream needs of the connection that carries it. */
export interface StreamConnection {
  /** Why others than this package ended the stream or its response. */
  whyEnded(): CloseReason
  /** Is told of an error that the stream was destroyed with. Must not throw. */
  failed(error: Error): void
  /** Breaks the response off. */
  cut(): void
  /** Whether the response is over. */
  readonly isGone: boolean
  /** Bytes that wait in the response, and a number that changes whenever the client has taken some. */
  readonly pendingBytes: number
  readonly progress: number
  onceGone(listener: () => void): void
}

/** Nobody carries the stream yet. */
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

/** Is told what a stream has brought its client. */
export interface StreamNews {
  /** Events, or a gap. */
  carried(): void
  /** The client has been told that it has caught up. */
  caughtUp(): void
}
