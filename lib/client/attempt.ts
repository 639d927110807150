import type { Answer } from './environment.ts'
import type { BlockListener } from './parser.ts'
import type { Reason } from './reasons.ts'

/** How an attempt ended: the reason, whether it is final, and the milliseconds of `Retry-After`. */
export type End = readonly [reason: Reason, isFinal?: boolean, wait?: number]

/** Receives one attempt, over either transport. Calls after the attempt was aborted are ignored. */
export interface Receiver {
  /** The server has responded with an event stream. */
  readonly opened: () => void
  /** Bytes have arrived. */
  sign(): void
  readonly block: BlockListener
  /** The server's reconnection delay, in milliseconds. */
  readonly askFor: (ms: number) => void
  /** Back-pressure: `undefined` while more may be read; otherwise a promise that resolves when reading may continue. */
  room(): Promise<void> | undefined
  /** `isHidden`: whether this transport may have hidden the reason, and `fetch` would show it. */
  ended(end: End, isHidden?: boolean): void
}

/** Interprets a response to a request for an event stream: how the attempt ends, or nothing if it is a stream. */
export function judge({ status, headers }: Answer, now: number): End | undefined {
  if (status === 204) return ['done', true]
  if (status === 401) return ['unauthenticated', true]
  if (status === 200) {
    const isStream = /^text\/event-stream\b/i.test(String(headers.get('content-type')))
    return isStream ? undefined : ['not-a-stream']
  }
  // Seconds, or a date (RFC 9110, section 10.2.3).
  const asked = headers.get('retry-after') ?? ''
  const wait = Number(asked) * 1_000 || Date.parse(asked) - now || 0
  // For other 4xx statuses a retry is useless. Many proxies send 404 during a deploy.
  return [`status ${status}`, /^4(?!0[48]|2[159])/.test(String(status)), wait]
}
