import type { Chunk } from '../wire/chunk.ts'
import type { Frame } from './write-queue.ts'

/** Events that many streams share: one piece where they can be sent at once, and one by one where they have to wait. */
export interface SharedFrames {
  readonly length: number
  readonly chunk: Chunk
  /** What no others are called. */
  readonly key: number
  frames(): readonly Frame[]
  /** Whether each of them was published to one of these topics, at least. */
  isAmong(topics: ReadonlySet<string>): boolean
}

/** What a chunk is, where a sink may make use of that: events that others are sent in the same turn, or a heartbeat. */
export type Meaning = SharedFrames | 'heartbeat'

/** Called when bytes have been handed to the kernel, or cannot be. */
export type Taken = (error?: Error | null) => void

/**
 * Where the bytes of a stream leave it: a response over HTTP/1.1 or HTTP/2, whatever the stream is piped into, or a
 * simulation. Bytes arrive in the order of the calls.
 */
export interface Sink {
  /** Bytes that were handed over and that the kernel, or whoever reads, has not taken yet. */
  readonly pendingBytes: number
  /** A number that changes whenever some of them have been taken. */
  readonly progress: number
  /** Whether it still takes bytes. */
  readonly isOpen: boolean
  /** Whether it is gone, and `onceClosed` will not call back any more. */
  readonly isClosed: boolean
  /** The first bytes; headers go out with them. */
  open(bytes: Uint8Array): void
  /** Takes bytes that many streams may share. Nobody is told when they have been taken. */
  send(chunk: Chunk, meaning?: Meaning): void
  /** Takes bytes and calls back when they have been taken. May never call back once it has closed. */
  write(bytes: Uint8Array, taken: Taken): void
  /** Ends properly, behind all that was handed over. */
  end(): void
  /** Breaks off behind all that was handed over, so that a client can tell that the end is missing. */
  cut(): void
  /** Breaks off at once. */
  destroy(): void
  onceClosed(listener: () => void): void
}
