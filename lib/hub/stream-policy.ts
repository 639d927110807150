import type { Cohorts } from '../compression/cohorts.ts'
import type { Chunk } from '../wire/chunk.ts'
import type { ConflationKeys } from './feed/conflation-keys.ts'

/** The checked options of `eventStream()` that concern its streams. */
export interface StreamPolicy {
  readonly heartbeat: { readonly interval: number; readonly chunk: Chunk } | undefined
  /**
   * Whether heartbeats and the reconnection delay are sent as events, which pages can see, unlike comments and
   * `retry:`.
   */
  readonly isVisible: boolean
  /** Milliseconds, before the jitter. */
  readonly retry: number
  /** Milliseconds, before the jitter; `undefined` for no limit. */
  readonly maxAge: number | undefined
  readonly bufferBytes: number
  /** What happens to a client that reads too slowly. */
  readonly overflow: OverflowPolicy
  /** How long a client may read nothing while bytes are buffered for it, in milliseconds. */
  readonly stall: number
  /** The timeout of application functions, in milliseconds. */
  readonly timeout: number
  /** The most bytes buffered in this process, over all streams. */
  readonly bufferedLimit: number
  /** The most topics of a stream. */
  readonly maxTopics: number
  /** Streams that are compressed together; `undefined` without compression. */
  readonly cohorts: Cohorts | undefined
}

/**
 * - `disconnect`: the client is disconnected, and resumes from its cursor
 * - `drop`: once it has read what is buffered, it is told of a gap and continues with live events
 * - `conflate`: once it has read what is buffered, it gets the latest event of each key and continues with live events
 */
export type OverflowPolicy =
  | { readonly kind: 'disconnect' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'conflate'; readonly keys: ConflationKeys }
