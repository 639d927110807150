import type { Identity } from '../auth/identity.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import type { Gap } from '../wire/frame.ts'

/** Why a request got no stream, no ticket, or nothing behind `requireIdentity()`. */
export type RefusalReason =
  /** Plain HTTP, where `requireSecure` is set. */
  | 'insecure'
  /** The request's `Accept` header excludes event streams. */
  | 'not-acceptable'
  /** No credentials, or invalid ones. */
  | 'unauthenticated'
  /** Valid credentials without the required permission. */
  | 'forbidden'
  /** A cross-origin request with the user's cookie: `error` has the origin of the request and the expected ones. */
  | 'origin'
  /** The credentials could not be checked now. */
  | 'unavailable'
  /** Too many streams of one identity. */
  | 'identity-limit'
  /** Too many unused tickets of one identity. */
  | 'ticket-limit'
  /** Newer streams of its identity took its place before it opened. */
  | 'superseded'
  /** Too many streams of one address. */
  | 'address-limit'
  /** One identity opened streams too often. */
  | 'identity-rate'
  /** One address opened streams too often. */
  | 'address-rate'
  /** Too many streams in this process. */
  | 'process-limit'
  /** The request is queued behind another one on its connection (HTTP pipelining). */
  | 'pipelined'
  /** `hub.disconnect()` was called for its login before it opened. */
  | 'disconnected'
  /** The hub is draining. */
  | 'draining'
  /**
   * The subscription resolver failed, timed out, returned something else than a subscription, or set a status other
   * than 200, 401 (`unauthenticated`) and 403 (`forbidden`).
   */
  | 'resolver'
  /** The broker could not subscribe. */
  | 'broker'

/** Every reason, for counters that start at zero. */
export const REFUSAL_REASONS = Object.freeze(
  Object.keys({
    insecure: true,
    'not-acceptable': true,
    unauthenticated: true,
    forbidden: true,
    origin: true,
    unavailable: true,
    'identity-limit': true,
    'ticket-limit': true,
    superseded: true,
    'address-limit': true,
    'identity-rate': true,
    'address-rate': true,
    'process-limit': true,
    pipelined: true,
    disconnected: true,
    draining: true,
    resolver: true,
    broker: true,
  } satisfies Record<RefusalReason, true>) as RefusalReason[],
)

/** How a relay run has ended. */
export type RunEnd = 'done' | 'failed' | 'cancelled' | 'interrupted'

/** Every value, for counters that start at zero. */
export const RUN_ENDS = ['done', 'failed', 'cancelled', 'interrupted'] as const satisfies readonly RunEnd[]

/** A stream in events and logs. */
export interface StreamInfo {
  readonly id: string
  readonly identity: Identity | undefined
}

/** The hub's events, for logs and metrics: names mapped to the arguments of their listeners. */
export interface HubEvents {
  /** A stream is about to send its first byte. */
  open: [{ stream: StreamInfo }]
  /** A stream has ended. `duration` is in milliseconds, by the monotonic clock. */
  close: [{ stream: StreamInfo; reason: CloseReason; duration: number }]
  /**
   * A request for a stream, a ticket or a route behind `requireIdentity()` was refused. `error` is what was thrown, if
   * anything: for the operator, not for the client.
   */
  refuse: [{ reason: RefusalReason; status: number; error?: unknown }]
  /** A client was told that events are missing. */
  gap: [{ stream: StreamInfo; gap: Gap }]
  /**
   * An error that reaches no caller. `during` names the component, such as `source`, `clean-up`, `rate limit` or
   * ``listener of `open` ``.
   */
  fault: [{ during: string; error: unknown; stream?: StreamInfo }]
  /** The broker is available: at the start, and again after `lost`. */
  ready: []
  /** The broker has become unavailable; `error` is the reason. It recovers by itself. */
  lost: [{ error: unknown }]
  /** The hub has begun to drain. */
  drain: [{ streams: number }]
}

/** Current gauges, and counters since the hub was created. */
export interface HubStats {
  /** Streams open now. */
  readonly streams: number
  /** Topics with a stream now. */
  readonly topics: number
  /** Identities with a stream now. */
  readonly identities: number
  /** Addresses with a stream now. */
  readonly addresses: number
  /** Bytes buffered in this process for clients now. */
  readonly bufferedBytes: number
  /** Leases held by this instance's streams now, for limits over all instances (`limits.shared.identity`). */
  readonly leases: number
  /** Relay runs on this instance now. */
  readonly running: number
  /** Topic events written to streams, live and from history, counted once per stream. */
  readonly delivered: number
  /** Bytes of response bodies passed to connections, before compression and HTTP framing. */
  readonly sentBytes: number
  /** Streams opened. */
  readonly opened: number
  /** Events published by this instance; a relay's batch of events counts as one, and so does its end. */
  readonly published: number
  /** Gaps reported to clients. */
  readonly gaps: number
  /** `fault` events: errors that reach no caller. */
  readonly faults: number
  /** `lost` events: times the broker became unavailable. */
  readonly lost: number
  /** Streams ended, by reason. */
  readonly closed: Readonly<Record<CloseReason, number>>
  /** Requests refused, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>
  /** Relay runs ended on this instance, by outcome. */
  readonly runs: Readonly<Record<RunEnd, number>>
}
