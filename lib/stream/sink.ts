import type { Chunk } from '../wire/chunk.ts'
import type { Frame } from './write-queue.ts'

/** Events shared by many streams: one chunk if they can be sent at once, single frames if they have to be queued. */
export interface SharedFrames {
  readonly length: number
  readonly chunk: Chunk
  /** Unique to this batch. */
  readonly key: number
  frames(): readonly Frame[]
  /** Whether each event was published to at least one of these topics. */
  isAmong(topics: ReadonlySet<string>): boolean
}

/**
 * What a chunk contains, for sinks that use it: events that other streams are sent in the same turn, or a heartbeat.
 */
export type Meaning = SharedFrames | 'heartbeat'

/** Called when the bytes have been passed to the kernel, or with an error. */
export type Taken = (error?: Error | null) => void

/**
 * The destination of a stream's bytes: a response over HTTP/1.1 or HTTP/2, whatever the stream is piped into, or a
 * simulation. Bytes arrive in the order of the calls.
 */
export interface Sink {
  /** Bytes written that the kernel, or the reader, has not taken yet. */
  readonly pendingBytes: number
  /** Changes whenever some of them have been taken. */
  readonly progress: number
  /** Whether it accepts bytes. */
  readonly isOpen: boolean
  /** Whether it has closed; `onceClosed` will not call back any more. */
  readonly isClosed: boolean
  /** Writes the first bytes, and the headers with them. */
  open(bytes: Uint8Array): void
  /** Writes bytes that many streams may share, without a callback. */
  send(chunk: Chunk, meaning?: Meaning): void
  /** Writes bytes and calls back when they have been taken. Once closed it may never call back. */
  write(bytes: Uint8Array, taken: Taken): void
  /** Ends properly, after everything written. */
  end(): void
  /** Cuts the response after everything written, so that the client can tell that it is incomplete. */
  cut(): void
  /** Cuts the response at once. */
  destroy(): void
  onceClosed(listener: () => void): void
}
