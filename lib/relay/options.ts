import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import type { Hub } from '../hub/hub.ts'
import type { AuthenticatedOptions, IdentityOf, Logins } from '../koa/options.ts'
import type { RequireIdentityOptions } from '../koa/require-identity.ts'
import type { EventInput, EventMap } from '../wire/event.ts'

/** Milliseconds until a run whose instance has died is told as interrupted, unless told otherwise. */
export const DEFAULT_LEASE = 10_000
/** Milliseconds for which an answer is kept, unless told otherwise: 10 minutes. */
export const DEFAULT_KEEP = 600_000
/** Milliseconds within which events become one publish, unless told otherwise. */
export const DEFAULT_LINGER = 50
/** Runs of one identity at once, on all instances, unless told otherwise. */
export const DEFAULT_IDENTITY_RUNS = 20
/** Runs of a process at once, unless told otherwise. */
export const DEFAULT_PROCESS_RUNS = 1_000
/** Characters of a run that are kept, unless told otherwise: 1 Mi. */
export const DEFAULT_SIZE = 1_048_576
/** The longest id of a run, in characters. */
export const MAX_RUN_ID_LENGTH = 256

export interface RelayOptions<Events extends object = EventMap> {
  /** The hub, from `createHub()`. On Redis the runs of all instances are one. */
  hub: Hub<Events>
  /** Keeps the runs of several relays of one log apart: 1 to 64 of `[0-9A-Za-z._-]`. Default `runs`. */
  name?: string
  /**
   * Milliseconds within which readers are told of a run whose process was killed or is frozen. A process whose event loop
   * stands still for about a third of it may be taken for dead. 1,000 or more, default 10,000.
   */
  lease?: number
  /** Milliseconds that a source may take, and that its answer is then kept for. Default 600,000 (10 minutes). */
  keep?: number
  /** Milliseconds within which events become one publish. 0 for those of one turn of the event loop. Default 50. */
  linger?: number
  limits?: {
    /** Runs of one identity at once, over all instances. One more is refused with 429. Default 20. */
    identity?: number
    /** Runs of this process at once. One more is refused with 503. Default 1,000. */
    process?: number
    /**
     * Characters of a run's events, and ten for each, that are kept for late readers, beside what `compact` made of those
     * before. Without `compact`, late readers of a longer run are told of a gap, as slow ones are. 65,536 or more, default 1,048,576.
     */
    size?: number
  }
}

/** A run, as rights to it are asked for. */
export interface Run {
  readonly id: string
  /** The `id` of the identity that started it; `undefined` where there is no such run, or none any more. */
  readonly owner: string | undefined
}

/** Who wants an answer, and what stops it. */
export interface RunContext<Who = Identity> {
  readonly identity: Who
  /**
   * Aborted when the run ends before its source does; `signal.reason` is its end, such as
   * `{ kind: 'cancelled', reason: 'request' }`. Not when readers leave.
   */
  readonly signal: AbortSignal
}

/** An event that `compact` gets: its name, `message` where it has none, and its data as the text that is sent. */
export interface SentEvent {
  readonly event: string
  readonly data: string
}

/** Options of `eventStream()` that are those of the routes of readers, too. */
type StreamOptions<Events extends object, Login extends Logins> = Omit<
  AuthenticatedOptions<Events, Login>,
  'hub' | 'subscribe'
>

interface Reading {
  /**
   * `plain`: the events of the source alone, as the parsers of models' clients want them. A run that fails, is cancelled or
   * interrupted cuts the response off, and `overload` is `reject` unless it is said. Default: with `cursor`, `gap`, `goaway`, and the event that says the end.
   */
  format?: 'plain' | undefined
}

interface Naming {
  /** The id of the run that is asked for. Default: the one parameter of the route, or that named `id`: `ctx.params`. */
  id?: ((ctx: Context) => string | Promise<string>) | undefined
}

export interface StartOptions<Events extends object = EventMap, Login extends Logins = Logins>
  extends StreamOptions<Events, Login>, Reading {
  /**
   * The id of the run that is wanted, 1 to 256 characters: of a user's own message, such as a client makes one for it.
   * Anything else is answered 400; `ctx.throw(422)` refuses, too.
   */
  id: (ctx: Context) => string | Promise<string>
  /**
   * The answer, as events without ids. Called once a run, on one instance. It goes on when its readers leave, for as long as
   * `keep` says; what it throws is a `fault`, and readers are told `failed`.
   */
  run: (
    context: RunContext<IdentityOf<Login>>,
    ctx: Context,
  ) => AsyncIterable<EventInput<Events>> | Promise<AsyncIterable<EventInput<Events>>>
  /**
   * Makes one event that stands for all of these, for those who come late: the first may be one that it has made before.
   * It has to answer at once. Default: they get one by one what is kept.
   */
  compact?: ((events: readonly SentEvent[]) => EventInput<Events>) | undefined
  /** Who may join a run that is there: asked of each but its owner. Default: nobody. */
  may?: ((identity: IdentityOf<Login>, run: Run) => boolean | Promise<boolean>) | undefined
}

export interface FollowOptions<Events extends object = EventMap, Login extends Logins = Logins>
  extends StreamOptions<Events, Login>, Reading, Naming {
  /** Whether somebody may read a run. Asked at each request, whether there is such a run or not: `false` is 403. */
  may: (identity: IdentityOf<Login>, run: Run) => boolean | Promise<boolean>
}

export interface CancelOptions<Events extends object = EventMap, Login extends Logins = Logins>
  extends Omit<RequireIdentityOptions<Events, Login>, 'hub'>, Naming {
  /** Whether somebody may cancel a run. Asked at each request, whether there is such a run or not: `false` is 403. */
  may: (identity: IdentityOf<Login>, run: Run) => boolean | Promise<boolean>
}
