import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import type { Hub } from '../hub/hub.ts'
import type { AuthenticatedOptions, IdentityOf, Logins } from '../koa/options.ts'
import type { RequireIdentityOptions } from '../koa/require-identity.ts'
import type { EventInput, EventMap } from '../wire/event.ts'

/** The default `lease`, in milliseconds. */
export const DEFAULT_LEASE = 10_000
/** The default `keep`, in milliseconds: 10 minutes. */
export const DEFAULT_KEEP = 600_000
/** The default `linger`, in milliseconds. */
export const DEFAULT_LINGER = 50
/** The default limit of runs of one identity, on all instances. */
export const DEFAULT_IDENTITY_RUNS = 20
/** The default limit of runs of a process. */
export const DEFAULT_PROCESS_RUNS = 1_000
/** The default limit of characters kept of a run: 1 Mi. */
export const DEFAULT_SIZE = 1_048_576
/** The longest id of a run, in characters. */
export const MAX_RUN_ID_LENGTH = 256

export interface RelayOptions<Events extends object = EventMap> {
  /** The hub, from `createHub()`. With Redis all instances share their runs. */
  hub: Hub<Events>
  /** Separates the runs of several relays on one log: 1 to 64 of `[0-9A-Za-z._-]`. Default `runs`. */
  name?: string
  /**
   * Milliseconds within which readers are told that a run's process was killed or is frozen. A process whose event loop
   * is blocked for about a third of it may be considered dead. 1,000 or more, default 10,000.
   */
  lease?: number
  /** Milliseconds that a source may take, and for which its result is kept afterwards. Default 600,000 (10 minutes). */
  keep?: number
  /**
   * Milliseconds within which events are published as one batch. 0 for the events of one turn of the event loop.
   * Default 50.
   */
  linger?: number
  limits?: {
    /** Runs of one identity at once, on all instances. One more is refused with 429. Default 20. */
    identity?: number
    /** Runs of this process at once. One more is refused with 503. Default 1,000. */
    process?: number
    /**
     * Characters of a run's events that are kept for late readers, plus ten for each event, and besides what `compact`
     * made of the earlier ones. Without `compact`, late readers of a longer run are told of a gap, as slow ones are.
     * 65,536 or more, default 1,048,576.
     */
    size?: number
  }
}

/** A run, as passed to `may`. */
export interface Run {
  readonly id: string
  /** The `id` of the identity that started it; `undefined` if the run does not exist, or no longer does. */
  readonly owner: string | undefined
}

/** The caller of a run, and the signal that stops it. */
export interface RunContext<Who = Identity> {
  readonly identity: Who
  /**
   * Aborted when the run ends before its source does; `signal.reason` is its end, such as `{ kind: 'cancelled', reason:
   * 'request' }`. Not aborted when readers leave.
   */
  readonly signal: AbortSignal
}

/** An event passed to `compact`: its name, `message` if it has none, and its data as the text that is sent. */
export interface SentEvent {
  readonly event: string
  readonly data: string
}

/** The options of `eventStream()` that routes of a relay have, too. */
type StreamOptions<Events extends object, Login extends Logins> = Omit<
  AuthenticatedOptions<Events, Login>,
  'hub' | 'subscribe'
>

interface Reading {
  /**
   * `plain`: only the source's events, as the stream parsers of model clients expect. A run that fails, is cancelled or
   * interrupted cuts the response, and `overload` defaults to `reject`. Default: with `cursor`, `gap`, `goaway`, and
   * the event that marks the end.
   */
  format?: 'plain' | undefined
}

interface Naming {
  /**
   * Returns the id of the requested run. Default: the only parameter of the route, or the one named `id`: `ctx.params`.
   */
  id?: ((ctx: Context) => string | Promise<string>) | undefined
}

export interface StartOptions<Events extends object = EventMap, Login extends Logins = Logins>
  extends StreamOptions<Events, Login>, Reading {
  /**
   * Returns the id of the requested run, 1 to 256 characters, such as one that the client generated for the user's
   * message. Anything else gets 400; `ctx.throw(422)` also refuses.
   */
  id: (ctx: Context) => string | Promise<string>
  /**
   * Returns the source: events without ids. Called once for each run, on one instance. It continues when its readers
   * leave, for up to `keep`; an error emits `fault`, and readers are told `failed`.
   */
  run: (
    context: RunContext<IdentityOf<Login>>,
    ctx: Context,
  ) => AsyncIterable<EventInput<Events>> | Promise<AsyncIterable<EventInput<Events>>>
  /**
   * Returns one event that replaces all of these for late readers; the first may be the result of an earlier call. Must
   * be synchronous. Default: late readers get the kept events one by one.
   */
  compact?: ((events: readonly SentEvent[]) => EventInput<Events>) | undefined
  /** Whether an identity may join an existing run; called for anyone but its owner. Default: nobody. */
  may?: ((identity: IdentityOf<Login>, run: Run) => boolean | Promise<boolean>) | undefined
}

export interface FollowOptions<Events extends object = EventMap, Login extends Logins = Logins>
  extends StreamOptions<Events, Login>, Reading, Naming {
  /** Whether the identity may read a run. Called for each request, even if there is no such run: `false` is 403. */
  may: (identity: IdentityOf<Login>, run: Run) => boolean | Promise<boolean>
}

export interface CancelOptions<Events extends object = EventMap, Login extends Logins = Logins>
  extends Omit<RequireIdentityOptions<Events, Login>, 'hub'>, Naming {
  /** Whether the identity may cancel a run. Called for each request, even if there is no such run: `false` is 403. */
  may: (identity: IdentityOf<Login>, run: Run) => boolean | Promise<boolean>
}
