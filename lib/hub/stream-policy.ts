import type { Cohorts } from '../compression/cohorts.ts'
import type { Chunk } from '../wire/chunk.ts'
import type { ConflationKeys } from './feed/conflation-keys.ts'

/** How the streams of one mount behave: the checked options of `eventStream()`. */
export interface StreamPolicy {
  readonly heartbeat: { readonly interval: number; readonly chunk: Chunk } | undefined
  /** Whether pages are to see what an EventSource keeps to itself: heartbeats, and when they may come back. */
  readonly isVisible: boolean
  /** Milliseconds, before the jitter. */
  readonly retry: number
  /** Milliseconds, before the jitter; `undefined` for no end. */
  readonly maxAge: number | undefined
  readonly bufferBytes: number
  /** What happens to a client that reads too slowly. */
  readonly overflow: OverflowPolicy
  /** How long a client may take nothing of what is buffered, in milliseconds. */
  readonly stall: number
  /** How long a function of the application may take that the stream waits for, in milliseconds. */
  readonly timeout: number
  /** Bytes that may wait for the clients of this process, over all streams. */
  readonly bufferedLimit: number
  /** Topics a stream. */
  readonly maxTopics: number
  /** Streams that are compressed together; `undefined` where none is compressed. */
  readonly cohorts: Cohorts | undefined
}

/**
 * - `disconnect`: the client is cut, and resumes from its cursor
 * - `drop`: it gets nothing until it has read what waits, is told of a gap, and goes on from there
 * - `conflate`: it gets nothing until it has read what waits, then the latest of each key, and goes on from there
 */
export type OverflowPolicy =
  | { readonly kind: 'disconnect' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'conflate'; readonly keys: ConflationKeys }
