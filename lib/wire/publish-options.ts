import { Buffer } from 'node:buffer'
import { invalid, knownKeys } from '../options.ts'

/** The longest key of a publish, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 256

/** What may be said of a publish beside its topics and its event. */
export interface PublishOptions {
  /**
   * Names this publish: 1 to 256 bytes of UTF-8. Where a key is repeated within the age of the history of the first event's
   * topics, nothing is published, and the first one's id is answered, whatever topics or event come with it, and whoever
   * publishes: a publish that was rejected may safely be repeated. The last 500,000 keys of a log are remembered at most.
   */
  key?: string | undefined
  /**
   * The trace that the event belongs to (W3C Trace Context, section 3.2). It is kept with the event, for whoever listens to
   * the log, and does not go to clients. One that is not valid is left out, as that specification asks.
   */
  traceparent?: string | undefined
}

/** What is known of an event beside its lines, by names in lower case. */
export type EventHeaders = Readonly<Record<string, string>>

/** Options of a publish that have been checked. */
export interface PublishNotes {
  readonly key?: string
  readonly headers?: EventHeaders
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** @throws {TypeError} that names the wrong option */
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
