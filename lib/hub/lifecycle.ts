import type { Identity } from '../auth/identity.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import type { Gap } from '../wire/frame.ts'

/** Why a request got no stream, no ticket, or nothing behind `requireIdentity()`. */
export type RefusalReason =
  /** Plain HTTP, where `requireSecure` is set. */
  | 'insecure'
  /** The client accepts no event stream. */
  | 'not-acceptable'
  /** No credentials, or bad ones. */
  | 'unauthenticated'
  /** Valid credentials that are not enough. */
  | 'forbidden'
  /** A page of another origin asked with the user's cookie: `error` tells what the request said and what was expected. */
  | 'origin'
  /** Nobody can tell just now who is asking. */
  | 'unavailable'
  /** Too many streams of one identity. */
  | 'identity-limit'
  /** Too many tickets of one identity that have not been used. */
  | 'ticket-limit'
  /** Newer streams of its identity have taken its place before it began. */
  | 'superseded'
  /** Too many streams of one address. */
  | 'address-limit'
  /** Streams of one identity were opened too often. */
  | 'identity-rate'
  /** Streams of one address were opened too often. */
  | 'address-rate'
  /** Too many streams in this process. */
  | 'process-limit'
  /** The request waits behind another one on its connection, as only a pipelining client does. */
  | 'pipelined'
  /** `hub.disconnect()` was called for it before it began. */
  | 'disconnected'
  /** The hub is draining. */
  | 'draining'
  /**
   * The subscription resolver failed, took too long, answered with something else than a subscription, or set a status
   * other than 200, 401 (`unauthenticated`) and 403 (`forbidden`).
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

/** How a run of a relay has ended. */
export type RunEnd = 'done' | 'failed' | 'cancelled' | 'interrupted'

/** Every one, for counters that start at zero. */
export const RUN_ENDS = ['done', 'failed', 'cancelled', 'interrupted'] as const satisfies readonly RunEnd[]

/** What is said of a stream: enough for a log line, nothing secret. */
export interface StreamInfo {
  readonly id: string
  readonly identity: Identity | undefined
}

/** The hub's events, for logs and metrics: names mapped to what listeners are called with. */
export interface HubEvents {
  /** A stream is about to send its first byte. */
  open: [{ stream: StreamInfo }]
  /** A stream has ended; `duration` is in milliseconds, whatever is done to the clock of the machine meanwhile. */
  close: [{ stream: StreamInfo; reason: CloseReason; duration: number }]
  /** A request got no stream, no ticket, or nothing behind `requireIdentity()`. `error` is what was thrown, if anything was: it is for the operator, not the client. */
  refuse: [{ reason: RefusalReason; status: number; error?: unknown }]
  /** A client was told that events are missing. */
  gap: [{ stream: StreamInfo; gap: Gap }]
  /**
   * Something failed that no caller hears of. `during` names the part, such as `source`, `clean-up`, `rate limit` or
   * ``listener of `open` ``.
   */
  fault: [{ during: string; error: unknown; stream?: StreamInfo }]
  /** The broker can do its work: at the start, and after it was lost. */
  ready: []
  /** The broker cannot do its work just now, for the reason given. It recovers by itself. */
  lost: [{ error: unknown }]
  /** The hub began to drain. */
  drain: [{ streams: number }]
}

/** Counters since the hub was made, and gauges of now. */
export interface HubStats {
  /** Streams open now. */
  readonly streams: number
  /** Topics that have a stream now. */
  readonly topics: number
  /** Identities that have a stream now. */
  readonly identities: number
  /** Addresses that have a stream now. */
  readonly addresses: number
  /** Bytes that wait in this process for clients to read them, now. */
  readonly bufferedBytes: number
  /** Places that this instance's streams hold in limits over all instances (`limits.identity`), now. */
  readonly leases: number
  /** Runs of relays on this instance, now. */
  readonly running: number
  /** Events of topics that were written to streams, live and from history, once for each stream. */
  readonly delivered: number
  /** Bytes of streams' bodies that were handed to their connections, before compression and the framing of HTTP. */
  readonly sentBytes: number
  /** Streams ever opened. */
  readonly opened: number
  /** Events published by this instance; a relay's batch of events counts as one, and so does its end. */
  readonly published: number
  /** Gaps that clients were told of. */
  readonly gaps: number
  /** Times that something failed which no caller hears of: see `fault`. */
  readonly faults: number
  /** Times that the broker was lost. */
  readonly lost: number
  /** Streams ended, by reason. */
  readonly closed: Readonly<Record<CloseReason, number>>
  /** Requests that got no stream, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>
  /** Runs of relays on this instance that are over, by how they have ended. */
  readonly runs: Readonly<Record<RunEnd, number>>
}
