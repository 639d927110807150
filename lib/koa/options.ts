import { Buffer } from 'node:buffer'
import type { Context } from 'koa'
import type { Authenticator, Revalidation } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { ConflatedEvent, ConflationKey } from '../hub/conflation.ts'
import type { StreamLimits } from '../hub/directory.ts'
import { HubEngine, type Hub } from '../hub/hub.ts'
import type { OverflowPolicy, StreamPolicy } from '../hub/stream-policy.ts'
import type { Subscription } from '../hub/subscription.ts'
import { duration, flag, fn, integer, invalid, knownKeys, LONGEST_DURATION, oneOf } from '../options.ts'
import type { EventStream } from '../stream/event-stream.ts'
import { checkEventName, type EventMap } from '../wire/event.ts'
import { encodeComment, encodeEvent } from '../wire/frame.ts'
import { MAX_RETRY, MIN_RETRY } from '../wire/retry.ts'
import { readOrigin } from './origin.ts'
import { checkRateLimiters, type RateLimiter, type RateLimiters } from './rate-limit.ts'

/** Milliseconds of silence after which a heartbeat is sent, unless told otherwise. */
export const DEFAULT_HEARTBEAT = 25_000
/** Milliseconds a client is told to wait before it comes back, before the jitter, unless told otherwise. */
export const DEFAULT_RETRY = 3_000
/** Bytes that may wait for a client, unless told otherwise. */
export const DEFAULT_BUFFER_BYTES = 1_048_576
/** Milliseconds that a client may take nothing of what waits for it, unless told otherwise. */
export const DEFAULT_STALL = 30_000
/** Streams of one identity at once, unless told otherwise. */
export const DEFAULT_IDENTITY_LIMIT = 20
/** Streams of one address at once, unless told otherwise. A company or a mobile network may be one address. */
export const DEFAULT_ADDRESS_LIMIT = 1_000
/** Streams of this process at once, unless told otherwise. */
export const DEFAULT_PROCESS_LIMIT = 50_000
/** Topics of one stream, unless told otherwise. */
export const DEFAULT_TOPIC_LIMIT = 100
/** Milliseconds that authentication, and then the subscription resolver, may take, unless told otherwise. */
export const DEFAULT_TIMEOUT = 10_000

/** Decides what a stream carries, after authentication and before any byte is sent. It may `ctx.throw(403)`. */
export type SubscriptionResolver<Events extends object = EventMap, Who = Identity> = (
  stream: EventStream<Events, Who>,
  ctx: Context,
) => Subscription<Events> | Promise<Subscription<Events>>

interface CommonOptions<Events extends object> {
  /** The hub, from `createHub()`. */
  hub: Hub<Events>
  /**
   * A comment after so many milliseconds of silence, so that proxies do not cut idle streams. `event` sends it as an
   * event of that name with the data `""` instead, which page scripts can see. `false` for none. Default 25,000: TCP
   * probes the connection at half of it. A client that vanished without a word is noticed at the latest when the kernel
   * gives up retransmitting: on Linux after a quarter of an hour, with `net.ipv4.tcp_retries2 = 6` after about 40 s.
   */
  heartbeat?: number | false | { interval?: number; event?: string }
  /** Milliseconds a client waits before it comes back, spread over 0.5 to 1.5 of it. 500 to 3,600,000, default 3,000. */
  retry?: number
  /** Milliseconds after which a stream is ended, so that clients move on to other instances; spread over 0.9 to 1 of it. Default: never. */
  maxAge?: number
  /** What may wait for a client that reads slowly. */
  buffer?: {
    /** Bytes. Default 1 MiB. */
    bytes?: number
    /**
     * What happens beyond. `disconnect`: the client is cut, and resumes from its cursor. `drop`: it gets nothing until it
     * has read what waits, is then told of a gap of reason `overflow`, and goes on from there. `conflate`: the same, with
     * the latest event of each key in place of the gap. What the resolver sends to the stream itself is never dropped:
     * with every policy the client is cut if it reads that too slowly. Default `disconnect`.
     */
    policy?: 'disconnect' | 'drop' | 'conflate'
    /**
     * With `conflate`: which events stand for one another, on the same topic. `undefined` for one that nothing stands
     * for. It is only asked about events that a slow client has missed. Default: the event's name.
     */
    key?: ConflationKey
    /** Milliseconds that a client may take nothing of what waits. Default 30,000. */
    stall?: number
  }
  limits?: {
    /** Streams of one identity at once in this process. Default 20. */
    identity?: number
    /** Streams of one address (`ctx.ip`; of an IPv6 address its /64 network) at once in this process. Default 1,000. */
    address?: number
    /** Streams of this process at once. Default 50,000. */
    process?: number
    /**
     * How often streams may be opened, as limiters such as those of rate-limiter-flexible say. `address` is asked before
     * authentication with `address:` and the address as above, `identity` after it with `identity:` and the `id`. One that
     * fails, or takes more than a second, lets the client in, and the hub tells of a `fault`. Default: none.
     */
    rate?: { identity?: RateLimiter; address?: RateLimiter }
    /**
     * Streams at once over all instances that share the broker. `identity`: those of one identity. The places of an
     * instance that died are free after a minute. While the broker cannot count, only the limits of this process hold,
     * and the hub tells of a `fault`. Default: none.
     */
    shared?: { identity?: number }
    /** Topics a stream. Default 100. */
    topics?: number
    /** Milliseconds that authentication, and then `subscribe`, may take. Default 10,000. */
    timeout?: number
  }
  /**
   * Other origins whose pages may open a stream with the user's cookie, such as `https://app.example.com`. The
   * application's own origin always may. Bearer tokens are not bound to origins. Default: none.
   */
  origins?: readonly string[]
  /**
   * Refuses plain HTTP with 403, before anybody is asked who is calling. Behind a proxy that ends TLS, Koa has to be
   * told of it (`app.proxy`). Default `false`.
   */
  requireSecure?: boolean
  /**
   * How a client is turned away at a limit or during a drain. `postpone`: `200`, `retry:` and the end, since an
   * EventSource gives up for good on anything else. `reject`: 429 or 503 with `Retry-After`. Default `postpone`.
   */
  overload?: 'postpone' | 'reject'
}

/** Options of a mount whose streams always have an identity. */
export interface AuthenticatedOptions<Events extends object = EventMap> extends CommonOptions<Events> {
  /** Asked in their order, until one knows the credentials; those of cookies and the like (`ambient`) come last. */
  authenticate: Authenticator | readonly Authenticator[]
  subscribe: SubscriptionResolver<Events>
}

/** Options of a mount that anybody may use. */
export interface PublicOptions<Events extends object = EventMap> extends CommonOptions<Events> {
  /** The explicit word for a stream that is open to all. */
  authenticate: false
  subscribe: SubscriptionResolver<Events, undefined>
}

export type EventStreamOptions<Events extends object = EventMap> = AuthenticatedOptions<Events> | PublicOptions<Events>

/** What is asked of callers, of a mount's or of others. */
export interface Entrance {
  readonly hub: HubEngine
  readonly authenticators: readonly Authenticator[]
  /** Milliseconds that authentication may take. */
  readonly timeout: number
  /** Other origins whose pages may use the user's cookie. */
  readonly origins: ReadonlySet<string>
}

/** The checked options of a mount. Its resolver has as long as authentication has. */
export interface Mount extends Entrance {
  readonly subscribe: (stream: EventStream<EventMap, Identity | undefined>, ctx: Context) => unknown
  readonly policy: StreamPolicy
  readonly limits: StreamLimits
  readonly rate: RateLimiters
  readonly shared: { readonly identity: number | undefined }
  readonly requireSecure: boolean
  readonly overload: 'postpone' | 'reject'
}

const KEYS = [
  'hub',
  'authenticate',
  'subscribe',
  'heartbeat',
  'retry',
  'maxAge',
  'buffer',
  'limits',
  'origins',
  'requireSecure',
  'overload',
] as const

/** Checks the options of a mount once. @throws {TypeError} that names the wrong one */
export function checkOptions<Events extends object>(options: EventStreamOptions<Events>): Mount {
  knownKeys('eventStream', options, KEYS)
  const limits = options.limits ?? {}
  knownKeys('limits', limits, ['identity', 'address', 'process', 'rate', 'shared', 'topics', 'timeout'])
  return Object.freeze({
    hub: checkHub(options.hub),
    authenticators: checkAuthenticators(options.authenticate),
    subscribe: fn('subscribe', options.subscribe) as Mount['subscribe'],
    policy: checkPolicy(options, integer('limits.topics', limits.topics, { min: 1, default: DEFAULT_TOPIC_LIMIT })),
    limits: Object.freeze({
      identity: integer('limits.identity', limits.identity, { min: 1, default: DEFAULT_IDENTITY_LIMIT }),
      address: integer('limits.address', limits.address, { min: 1, default: DEFAULT_ADDRESS_LIMIT }),
      process: integer('limits.process', limits.process, { min: 1, default: DEFAULT_PROCESS_LIMIT }),
    }),
    rate: checkRateLimiters(limits.rate),
    shared: checkShared(limits.shared),
    timeout: duration('limits.timeout', limits.timeout, { default: DEFAULT_TIMEOUT }),
    origins: checkOrigins(options.origins ?? []),
    requireSecure: flag('requireSecure', options.requireSecure, false),
    overload: oneOf('overload', options.overload, ['postpone', 'reject'], 'postpone'),
  })
}

export function checkHub(hub: unknown): HubEngine {
  if (hub instanceof HubEngine) return hub
  throw new TypeError('`hub` must be a hub from createHub()')
}

function checkShared(shared: { identity?: number } = {}): Mount['shared'] {
  knownKeys('limits.shared', shared, ['identity'])
  const { identity } = shared
  return Object.freeze({
    identity: identity === undefined ? undefined : integer('limits.shared.identity', identity, { min: 1 }),
  })
}

export function checkAuthenticators(authenticate: unknown): readonly Authenticator[] {
  if (authenticate === false) return []
  if (authenticate === undefined) {
    throw new TypeError('`authenticate` is missing: give an authenticator, or `false` for a stream open to all')
  }
  const list: unknown[] = Array.isArray(authenticate) ? authenticate : [authenticate]
  if (list.length === 0) throw new TypeError('`authenticate` is an empty list: say `false` for a stream open to all')
  const authenticators = list.map(checkAuthenticator)
  // What a client sends on purpose says more of whom it means to be than what its browser adds by itself.
  const ambient = authenticators.filter(authenticator => authenticator.ambient)
  return Object.freeze([...authenticators.filter(authenticator => !authenticator.ambient), ...ambient])
}

function checkAuthenticator(authenticator: unknown): Authenticator {
  if (isAuthenticator(authenticator)) return authenticator
  throw invalid('authenticate', 'an authenticator, a list of them, or false', authenticator)
}

function isAuthenticator(value: unknown): value is Authenticator {
  if (typeof value !== 'object' || value === null) return false
  const { scheme, challenge, ambient, authenticate, conceal, redeem, forget, revalidation } = value as Record<
    keyof Authenticator,
    unknown
  >
  return (
    typeof scheme === 'string' &&
    typeof challenge === 'string' &&
    typeof ambient === 'boolean' &&
    typeof authenticate === 'function' &&
    [conceal, redeem, forget].every(method => method === undefined || typeof method === 'function') &&
    (revalidation === undefined || isRevalidation(revalidation))
  )
}

function isRevalidation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { interval, grace, holds } = value as Record<keyof Revalidation, unknown>
  return isDuration(interval, 1) && isDuration(grace, 0) && typeof holds === 'function'
}

function isDuration(value: unknown, min: number): boolean {
  return typeof value === 'number' && value >= min && value <= LONGEST_DURATION
}

export function checkOrigins(origins: unknown): ReadonlySet<string> {
  if (Array.isArray(origins)) return new Set(origins.map(readOrigin))
  throw invalid('origins', 'a list of origins', origins)
}

function checkPolicy<Events extends object>(options: EventStreamOptions<Events>, maxTopics: number): StreamPolicy {
  const { heartbeat, retry, maxAge, buffer = {} } = options
  knownKeys('buffer', buffer, ['bytes', 'policy', 'key', 'stall'])
  return Object.freeze({
    heartbeat: checkHeartbeat(heartbeat),
    retry: duration('retry', retry, { min: MIN_RETRY, max: MAX_RETRY, default: DEFAULT_RETRY }),
    maxAge: maxAge === undefined ? undefined : duration('maxAge', maxAge, { min: 1_000 }),
    bufferBytes: integer('buffer.bytes', buffer.bytes, { min: 1_024, default: DEFAULT_BUFFER_BYTES }),
    overflow: checkOverflow(buffer),
    stall: duration('buffer.stall', buffer.stall, { min: 1_000, default: DEFAULT_STALL }),
    maxTopics,
  })
}

function checkHeartbeat(heartbeat: CommonOptions<EventMap>['heartbeat']): StreamPolicy['heartbeat'] {
  if (heartbeat === false) return undefined
  if (typeof heartbeat === 'object') knownKeys('heartbeat', heartbeat, ['interval', 'event'])
  const { interval, event } = typeof heartbeat === 'object' ? heartbeat : { interval: heartbeat, event: undefined }
  return Object.freeze({
    interval: duration('heartbeat', interval, { min: 1_000, default: DEFAULT_HEARTBEAT }),
    frame: event === undefined ? encodeComment('') : heartbeatEvent(event),
  })
}

function heartbeatEvent(name: string): Buffer {
  try {
    return encodeEvent({ event: checkEventName(name), data: '', id: undefined })
  } catch (cause) {
    throw new TypeError('`heartbeat.event` must be an event name', { cause })
  }
}

function checkOverflow({ policy, key }: NonNullable<CommonOptions<EventMap>['buffer']>): OverflowPolicy {
  const kind = oneOf('buffer.policy', policy, ['disconnect', 'drop', 'conflate'], 'disconnect')
  if (kind === 'conflate') return Object.freeze({ kind, key: fn('buffer.key', key, nameOf) })
  if (key !== undefined) throw new TypeError('`buffer.key` is only of use with the policy `conflate`')
  return Object.freeze({ kind })
}

function nameOf({ event }: ConflatedEvent): string {
  return event
}
