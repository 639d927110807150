import type { Context } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import type { Identity, UnknownClaims } from '../auth/identity.ts'
import type { ConflationKey } from '../hub/feed/conflation-keys.ts'
import type { Hub } from '../hub/hub.ts'
import type { Subscription } from '../hub/subscription.ts'
import type { EventStream } from '../stream/event-stream.ts'
import type { EventMap } from '../wire/event.ts'
import type { OverloadOption } from './overload.ts'
import type { RateLimiter } from './rate-limit.ts'

/**
 * Decides what a stream carries, after authentication and before any byte is sent. To refuse, it calls
 * `ctx.throw(403)`, or sets `ctx.status` to anything but 200: the response is then that status with `ctx.body`, and the
 * return value is ignored. Koa answers errors that it throws; a return value that is not a subscription gets 500, and a
 * timeout (`limits.timeout`) 503. The hub emits `refuse` for all of these.
 */
export type SubscriptionResolver<Events extends object = EventMap, Who = Identity> = (
  stream: EventStream<Events, Who>,
  ctx: Context,
) => Subscription<Events> | Promise<Subscription<Events>>

/** A limit, and what happens beyond it: the new stream is turned away, or replaces the oldest. */
export interface IdentityLimitOption {
  most: number
  /** Default `refuse`. */
  over?: 'refuse' | 'oldest'
}

interface CommonOptions<Events extends object> {
  /** The hub, from `createHub()`. */
  hub: Hub<Events>
  /**
   * The interval of heartbeats in milliseconds: a comment is sent after that much silence, so that proxies do not cut
   * idle streams. With `event` it is an event of that name with the data `""`, which page scripts can see. `false` for
   * none. Default 25,000: TCP probes the connection at half of it. A client that vanished without a FIN is noticed at
   * the latest when the kernel gives up retransmitting: on Linux after a quarter of an hour, with
   * `net.ipv4.tcp_retries2 = 6` after about 40 s. `event` may be `heartbeat`, which is reserved for this, or any valid
   * event name.
   */
  heartbeat?: number | false | { interval?: number; event?: string }
  /** Milliseconds until a client reconnects, with a jitter of 0.5 to 1.5. 500 to 3,600,000, default 3,000. */
  retry?: number
  /**
   * Milliseconds after which a stream is closed, so that clients move on to other instances; with a jitter of 0.9 to 1.
   * Default: never.
   */
  maxAge?: number
  /** What may be buffered for a slow client. */
  buffer?: {
    /** Bytes, 1,024 or more; at least the hub's `maxEventBytes`, if that is set. Default 1 MiB. */
    bytes?: number
    /**
     * What happens beyond `bytes`. `disconnect`: the client is cut, and resumes from its cursor. `drop`: it gets no
     * events until it has read the buffer, then a gap of reason `overflow`, and continues from there. `conflate`: the
     * same, with the latest event of each key in place of the gap. What the resolver sends to the stream itself is
     * never dropped: with every policy the client is cut if it reads that too slowly. Default `disconnect`.
     */
    policy?: 'disconnect' | 'drop' | 'conflate'
    /**
     * With `conflate`: the key of an event; the latest event of a key on a topic replaces earlier ones. `undefined` for
     * an event that nothing replaces. Only called for events that a slow client has missed. Default: the event's name.
     */
    key?: ConflationKey
    /** Milliseconds for which a client may read nothing of what is buffered. Default 30,000. */
    stall?: number
  }
  /**
   * `gzip` compresses events for the streams of several persons once for all of them, if the client accepts it. Data
   * for one person only is not compressed. The length of compressed data reveals to a network observer how similar two
   * texts are: do not use it if streams mix events that contain a secret with text that others choose (BREACH). Default
   * `false`.
   */
  compress?: 'gzip' | false
  limits?: {
    /**
     * Streams of one identity at once in this process. One more is turned away; with `over: 'oldest'` it replaces the
     * oldest, which is closed as `superseded` and told to reconnect after an hour at the earliest, since tabs would
     * otherwise keep replacing each other. As many again may be opening at the same time; one more is turned away.
     * Default 20, `refuse`.
     */
    identity?: number | IdentityLimitOption
    /** Streams of one address (`ctx.ip`; of an IPv6 address its /64 network) at once in this process. Default 1,000. */
    address?: number
    /** Streams of this process at once. Default 50,000. */
    process?: number
    /**
     * Rate limiters for opening streams, such as those of rate-limiter-flexible. `address` is called before
     * authentication with `address:` and the address as above, `identity` after it with `identity:` and the `id`. One
     * that fails, or takes more than a second, lets the client in, and the hub emits `fault`. Default: none.
     */
    rate?: { identity?: RateLimiter; address?: RateLimiter }
    /**
     * Streams at once over all instances that share the broker. `identity`: those of one identity, as above. The places
     * of an instance that died are free after a minute. While the broker cannot count, only the limits of this process
     * apply, and the hub emits `fault`. Default: none.
     */
    shared?: { identity?: number | IdentityLimitOption }
    /**
     * Bytes that may be buffered in this process for all its clients together. Beyond it the slowest clients are cut
     * first. 1 MiB or more, default 512 MiB.
     */
    buffered?: number
    /**
     * Topics of one stream: those that `subscribe` returns and those that the stream subscribes to itself. Default 100.
     */
    topics?: number
    /** The timeout of authentication, and then of `subscribe`, in milliseconds. Default 10,000. */
    timeout?: number
  }
  /**
   * Other origins whose pages may open a stream with the user's cookie, such as `https://app.example.com`. The
   * application's own origin always may. Bearer tokens are not bound to origins. Default: none.
   */
  origins?: readonly string[]
  /**
   * Refuses plain HTTP with 403, before authentication. Behind a proxy that terminates TLS, set Koa's `app.proxy`.
   * Default `false`.
   */
  requireSecure?: boolean
  /**
   * How a client is turned away at a limit or during a drain. `postpone`: 200, `retry:` and the end, since an
   * EventSource never reconnects after any other status. `reject`: 429 or 503 with `Retry-After`. A function chooses
   * for each request, since clients differ in what they understand; it must be synchronous, and if it fails or returns
   * anything else, the client is postponed and the hub emits `fault`. Default `postpone`.
   */
  overload?: OverloadOption
}

/** One authenticator or several, with claims of any type. */
export type Logins = Authenticator<object> | readonly Authenticator<object>[]

/** The identity type of authenticators, with the type of their claims, if given. */
export type IdentityOf<Login extends Logins> = (Login extends readonly (infer One)[] ? One : Login) extends infer One
  ? One extends Authenticator<infer Claims>
    ? Identity<keyof Claims extends never ? UnknownClaims : Claims>
    : never
  : never

/** Options of a route whose streams always have an identity. */
export interface AuthenticatedOptions<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
> extends CommonOptions<Events> {
  /**
   * Called in order until one recognises the credentials. Those for credentials that browsers send automatically
   * (`ambient`) come last.
   */
  authenticate: Login
  subscribe: SubscriptionResolver<Events, IdentityOf<Login>>
}

/** Options of a public route. */
export interface PublicOptions<Events extends object = EventMap> extends CommonOptions<Events> {
  /** Opens the stream to all; must be explicit. */
  authenticate: false
  subscribe: SubscriptionResolver<Events, undefined>
}

export type EventStreamOptions<Events extends object = EventMap> = AuthenticatedOptions<Events> | PublicOptions<Events>
