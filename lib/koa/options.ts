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
 * Decides what a stream carries, after authentication and before any byte is sent. It refuses by `ctx.throw(403)`, or by
 * setting `ctx.status` to anything but 200: there is no stream then, and that status and the body that it has set are
 * the answer, whatever it answers itself. What it throws is answered by Koa; an answer that is no subscription is 500,
 * and none within `limits.timeout` 503. All of these are told as `refuse`.
 */
export type SubscriptionResolver<Events extends object = EventMap, Who = Identity> = (
  stream: EventStream<Events, Who>,
  ctx: Context,
) => Subscription<Events> | Promise<Subscription<Events>>

/** A limit, and what becomes of one more: it is turned away, or takes the place of the oldest. */
export interface IdentityLimitOption {
  most: number
  /** Default `refuse`. */
  over?: 'refuse' | 'oldest'
}

interface CommonOptions<Events extends object> {
  /** The hub, from `createHub()`. */
  hub: Hub<Events>
  /**
   * A comment after so many milliseconds of silence, so that proxies do not cut idle streams. `event` sends it as an
   * event of that name with the data `""` instead, which page scripts can see. `false` for none. Default 25,000: TCP
   * probes the connection at half of it. A client that vanished without a word is noticed at the latest when the kernel
   * gives up retransmitting: on Linux after a quarter of an hour, with `net.ipv4.tcp_retries2 = 6` after about 40 s.
   * `event` may be `heartbeat`, which is kept free for this, or any name that an event may have.
   */
  heartbeat?: number | false | { interval?: number; event?: string }
  /** Milliseconds a client waits before it comes back, spread over 0.5 to 1.5 of it. 500 to 3,600,000, default 3,000. */
  retry?: number
  /** Milliseconds after which a stream is ended, so that clients move on to other instances; spread over 0.9 to 1 of it. Default: never. */
  maxAge?: number
  /** What may wait for a client that reads slowly. */
  buffer?: {
    /** Bytes, 1,024 or more. At least `maxEventBytes` of the hub, where that is given. Default 1 MiB. */
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
  /**
   * `gzip` compresses what several persons' streams are sent, once for all of them, for clients that accept it. What is one
   * person's alone is sent as it is. Compression shows an observer of the network how alike two texts are, by their length:
   * leave it off where an event that holds a secret shares its topics' streams with text that others choose (BREACH).
   * Default `false`.
   */
  compress?: 'gzip' | false
  limits?: {
    /**
     * Streams of one identity at once in this process. One more is turned away; with `over: 'oldest'` it takes the place of
     * the oldest, which is closed as `superseded` and told to come back after an hour at the earliest, since tabs would
     * otherwise take each other's places in turn. Of streams that have not opened yet there are as many again at most, and
     * one more is turned away. Default 20, `refuse`.
     */
    identity?: number | IdentityLimitOption
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
     * Streams at once over all instances that share the broker. `identity`: those of one identity, as above. The places of an
     * instance that died are free after a minute. While the broker cannot count, only the limits of this process hold,
     * and the hub tells of a `fault`. Default: none.
     */
    shared?: { identity?: number | IdentityLimitOption }
    /**
     * Bytes that may wait in this process for all its clients together. Beyond it those that read slowest are cut first.
     * 1 MiB or more, default 512 MiB.
     */
    buffered?: number
    /** Topics a stream: those that `subscribe` answers and those that the stream subscribes to itself. Default 100. */
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
   * EventSource gives up for good on anything else. `reject`: 429 or 503 with `Retry-After`. A function chooses for each
   * request, since clients differ in what they understand; it has to answer at once, and if it fails or answers anything
   * else, the client is postponed and the hub tells of a `fault`. Default `postpone`.
   */
  overload?: OverloadOption
}

/** An authenticator, or several, whatever the shape of their claims. */
export type Logins = Authenticator<object> | readonly Authenticator<object>[]

/** The identities that authenticators make, with the shape of their claims, where one is said. */
export type IdentityOf<Login extends Logins> = (Login extends readonly (infer One)[] ? One : Login) extends infer One
  ? One extends Authenticator<infer Claims>
    ? Identity<keyof Claims extends never ? UnknownClaims : Claims>
    : never
  : never

/** Options of a mount whose streams always have an identity. */
export interface AuthenticatedOptions<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
> extends CommonOptions<Events> {
  /** Asked in their order, until one knows the credentials; those of cookies and the like (`ambient`) come last. */
  authenticate: Login
  subscribe: SubscriptionResolver<Events, IdentityOf<Login>>
}

/** Options of a mount that anybody may use. */
export interface PublicOptions<Events extends object = EventMap> extends CommonOptions<Events> {
  /** The explicit word for a stream that is open to all. */
  authenticate: false
  subscribe: SubscriptionResolver<Events, undefined>
}

export type EventStreamOptions<Events extends object = EventMap> = AuthenticatedOptions<Events> | PublicOptions<Events>
