import { Buffer } from 'node:buffer'
import { invalid, knownKeys } from '../options.ts'

/** The longest key of a publish, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 256

/** Options of a publish. */
export interface PublishOptions {
  /**
   * Idempotency key: 1 to 256 bytes of UTF-8. If a key is repeated within the history age of the first event's topics,
   * nothing is published and the first event's id is returned, whatever the topics, the event or the publisher: a
   * rejected publish can safely be retried. A log remembers at most the last 500,000 keys.
   */
  key?: string | undefined
  /**
   * The trace of the event (W3C Trace Context, section 3.2). Stored with the event, for consumers of the log, and not
   * sent to clients. An invalid one is ignored, as that specification requires.
   */
  traceparent?: string | undefined
}

/** Metadata of an event, by names in lower case. */
export type EventHeaders = Readonly<Record<string, string>>

/** Checked publish options. */
export interface PublishNotes {
  readonly key?: string
  readonly headers?: EventHeaders
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** @throws {TypeError} naming the invalid option */
export function checkPublishOptions(options: PublishOptions): PublishNotes {
  knownKeys('publish', options, ['key', 'traceparent'])
  const { key, traceparent } = options
  return {
    ...(key !== undefined && { key: checkKey(key) }),
    ...(isTraceparent(traceparent) && { headers: { traceparent } }),
  }
}

function checkKey(key: unknown): string {
  if (typeof key === 'string' && key !== '' && key.isWellFormed() && Buffer.byteLength(key) <= MAX_KEY_BYTES) return key
  throw invalid('key', `a string of 1 to ${String(MAX_KEY_BYTES)} bytes of UTF-8`, key)
}

function isTraceparent(value: unknown): value is string {
  if (value !== undefined && typeof value !== 'string') throw invalid('traceparent', 'a string', value)
  return value !== undefined && TRACEPARENT.test(value)
}
