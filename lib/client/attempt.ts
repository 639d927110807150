import type { Answer } from './environment.ts'
import type { Block } from './parser.ts'
import type { Reason } from './reasons.ts'

/** How an attempt ended. */
export interface End {
  readonly reason: Reason
  /** Whether there is nothing to come back for. */
  readonly isFinal?: boolean
  /** Whether the status was not to be seen, and another transport would show it. */
  readonly isHidden?: boolean
  /** `Retry-After`, in milliseconds. */
  readonly wait?: number
}

/** What one attempt tells, of whatever transport. It need not care whether it has been given up meanwhile. */
export interface Receiver {
  /** The server has answered with an event stream. */
  opened(): void
  /** A sign of life. */
  sign(): void
  block(block: Block): void
  retry(ms: number): void
  /** `undefined` while more may come; otherwise a promise that resolves once it may. */
  room(): Promise<void> | undefined
  ended(end: End): void
}

// A repetition changes nothing. 404 is what many a proxy says during a deploy.
const REPEATED: ReadonlySet<number> = new Set([404, 408, 421, 425, 429])

/** What an answer means for an event stream: an end, or nothing where it is one. */
export function judge({ status, headers }: Answer, now: number): End | undefined {
  if (status === 204) return { reason: 'done', isFinal: true }
  if (status === 200) {
    const isStream = /^text\/event-stream\s*(;|$)/i.test(headers.get('content-type') ?? '')
    return isStream ? undefined : { reason: 'not-a-stream' }
  }
  if (status === 401) return { reason: 'unauthenticated' }
  return {
    reason: `status ${status}`,
    isFinal: status >= 400 && status < 500 && !REPEATED.has(status),
    wait: retryAfter(headers.get('retry-after'), now),
  }
}

// Seconds, or a date (RFC 9110, section 10.2.3).
function retryAfter(value: string | null, now: number): number {
  if (value === null) return 0
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now
  // A timer counts no further.
  return ms > 0 ? Math.min(ms, 3_600_000) : 0
}
