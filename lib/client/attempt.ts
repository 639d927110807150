import type { Answer } from './environment.ts'
import type { BlockListener } from './parser.ts'
import type { Reason } from './reasons.ts'

/** How an attempt ended: whether there is nothing to come back for, and the milliseconds of `Retry-After`. */
export type End = readonly [reason: Reason, isFinal?: boolean, wait?: number]

/** What one attempt tells, of whatever transport. It need not care whether it has been given up meanwhile. */
export interface Receiver {
  /** The server has answered with an event stream. */
  readonly opened: () => void
  /** A sign of life. */
  sign(): void
  readonly block: BlockListener
  /** The server says how long to wait before a reconnect, in milliseconds. */
  readonly askFor: (ms: number) => void
  /** `undefined` while more may come; otherwise a promise that resolves once it may. */
  room(): Promise<void> | undefined
  /** `isHidden`: whether this transport may not have been shown why, and another one would be. */
  ended(end: End, isHidden?: boolean): void
}

/** What an answer means for an event stream: an end, or nothing where it is one. */
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
  // A repetition changes no other status of the client's. 404 is what many a proxy says during a deploy.
  return [`status ${status}`, /^4(?!0[48]|2[159])/.test(String(status)), wait]
}
