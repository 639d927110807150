import type { Context, Middleware } from 'koa'
import { callInTime } from '../application.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { Hub } from '../hub/hub.ts'
import type { RefusalReason } from '../hub/lifecycle.ts'
import { duration, fn, knownKeys } from '../options.ts'
import { safeError } from '../safe-error.ts'
import type { EventMap } from '../wire/event.ts'
import { watchArrivals } from './arrival.ts'
import { forget, resume, type Caller, type Refusal } from './authentication.ts'
import { checkDoor, checkLogins, DEFAULT_TIMEOUT, type DoorConfig } from './door-config.ts'
import { endedMeanwhile, pass, verify } from './door.ts'
import { callerOf } from './known-caller.ts'
import type { IdentityOf, Logins } from './options.ts'
import { hasConcealed } from './query-parameter.ts'
import type { RateLimiter } from './rate-limit.ts'
import { refuse } from './refusal.ts'
import { secretsOf } from './request-secrets.ts'
import { keepFromCaches } from './response.ts'
import { rememberAnswer } from './take-back.ts'

/** A refusal that the application may answer itself. */
export interface IdentityRefusal {
  readonly reason: RefusalReason
  /** The status unless the application sets another. */
  readonly status: Refusal['status']
}

export interface RequireIdentityOptions<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
> {
  /** The hub on which logins are revoked, from `createHub()`. It emits `refuse` for each refusal. */
  hub: Hub<Events>
  /** The authenticators, used as by `eventStream()`. Tickets are not accepted. */
  authenticate: Login
  /**
   * Other origins whose pages may use the user's cookie, as for `eventStream()`. Links from other sites and mails are
   * allowed: a GET or HEAD that is displayed in a tab, according to `Sec-Fetch-Mode` and `Sec-Fetch-Dest`, cannot be
   * read by another page. Such requests must not change anything (RFC 9110, section 9.2.1). Default: none.
   */
  origins?: readonly string[]
  /** Refuses plain HTTP with 403, before authentication. Default `false`. */
  requireSecure?: boolean
  limits?: {
    /**
     * Rate limiters for requests, like `limits.rate` of `eventStream()`: beyond the rate, 429 with `Retry-After`.
     * Default: none.
     */
    rate?: { identity?: RateLimiter; address?: RateLimiter }
    /** The timeout of authentication, and then of `refuse`, in milliseconds. Default 10,000. */
    timeout?: number
  }
  /**
   * Answers a refused request, such as by `ctx.redirect('/login')` or a page as `ctx.body`, with the status of the
   * refusal unless it sets one. If it sets no answer, throws or times out, the request is answered as by
   * `eventStream()`, even after `ctx.respond = false`; the latter two emit `fault`. What it had set until then is
   * undone, except its changes of the session. What it sets after its timeout cannot be prevented and may get into the
   * response: that is a bug in the application, which the `fault` reports. Default: as `eventStream()`.
   */
  refuse?: (ctx: Context, refusal: IdentityRefusal) => unknown
}

/** A Koa middleware that sets `ctx.state.identity`. */
export type IdentityMiddleware<Who> = Middleware<{ identity: Who }>

interface IdentityConfig extends DoorConfig {
  readonly answer: ((ctx: Context, refusal: IdentityRefusal) => unknown) | undefined
}

const KEYS = ['hub', 'authenticate', 'origins', 'requireSecure', 'limits', 'refuse'] as const

/**
 * Authentication of ordinary routes with the logins of streams: a Koa middleware that sets `ctx.state.identity` and
 * calls the next one, or refuses like `eventStream()`: 401 with its challenges, 400 for malformed credentials, 403 for
 * a page of another origin, 503 if authentication is unavailable, 429 at a limit.
 *
 * It honours everything that closes streams: `hub.revoke`, the end of a session, `expiresAt`, `holds`, and a
 * `hub.disconnect()` since the request arrived. As before a stream opens, all of that is checked once more after
 * authentication: with `sessionCookie()` the store is read a second time.
 *
 * @throws {TypeError} at start-up, for a wrong option
 */
export function requireIdentity<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
>(options: RequireIdentityOptions<Events, Login>): IdentityMiddleware<IdentityOf<Login>> {
  const guard = identityGuard(options)
  return (ctx, next) => guard(ctx, next)
}

/** Revalidates a login, and answers the request if it has ended. */
export type Stands = () => Promise<boolean>

/** The work of a route for an authenticated caller. */
type GuardedWork = (stands: Stands) => Promise<void>

/**
 * `requireIdentity()` for routes that take time before they act, such as to read a body from a slow client: the login
 * may end meanwhile.
 *
 * @throws {TypeError} at start-up, for a wrong option
 */
export function identityGuard<Events extends object, Login extends Logins>(
  options: RequireIdentityOptions<Events, Login>,
): (ctx: Context, work: GuardedWork) => Promise<void> {
  const config = checkOptions(options)
  watchArrivals()
  return async (ctx, work) => {
    const caller = await admit(ctx, config)
    if ('status' in caller) {
      await turnDown(ctx, config, caller, undefined)
      return
    }
    const stands: Stands = async () => {
      const refusal = await lapse(ctx, config, caller)
      if (refusal !== undefined) await turnDown(ctx, config, refusal, caller.identity)
      return refusal === undefined
    }
    // Its claims have the type that the authenticator declares.
    ctx.state.identity = caller.identity
    resume(ctx, config, caller)
    if (hasConcealed(ctx)) await keepFromCaches(ctx, () => work(stands))
    else await work(stands)
  }
}

function checkOptions<Events extends object, Login extends Logins>(
  options: RequireIdentityOptions<Events, Login>,
): IdentityConfig {
  knownKeys('requireIdentity', options, KEYS)
  const { limits = {}, refuse: answer } = options
  knownKeys('limits', limits, ['rate', 'timeout'])
  const door = checkDoor(options, {
    authenticators: checkLogins(options.authenticate),
    timeout: duration('limits.timeout', limits.timeout, { default: DEFAULT_TIMEOUT }),
    route: 'ordinary',
  })
  return Object.freeze({ ...door, answer: answer === undefined ? undefined : fn('refuse', answer) })
}

async function admit(ctx: Context, config: IdentityConfig): Promise<Caller | Refusal> {
  const caller = await pass(ctx, config)
  if ('status' in caller) return caller
  return (await lapse(ctx, config, caller)) ?? caller
}

/** Returns a refusal if the login is no longer valid. */
async function lapse(ctx: Context, config: IdentityConfig, caller: Caller): Promise<Refusal | undefined> {
  const refusal = (await verify(ctx, caller, config)) ?? endedMeanwhile(ctx, caller, config)
  if (refusal !== undefined) await forget(ctx, config, caller)
  return refusal
}

async function turnDown(
  ctx: Context,
  config: IdentityConfig,
  refusal: Refusal,
  identity: Identity | undefined,
): Promise<void> {
  if (!(await isAnswered(ctx, config, refusal, identity))) {
    refuse(ctx, config, refusal)
    return
  }
  const { reason, status, challenges = [], error } = refusal
  // RFC 9110, section 15.5.2: a 401 has a challenge, even with a page of the application.
  if (ctx.status === 401 && !ctx.res.hasHeader('WWW-Authenticate')) ctx.set('WWW-Authenticate', [...challenges])
  config.hub.refused(reason, status, error, callerOf(ctx))
}

/** Lets the application answer a refusal. Returns whether it did. */
async function isAnswered(
  ctx: Context,
  config: IdentityConfig,
  { reason, status }: Refusal,
  identity: Identity | undefined,
): Promise<boolean> {
  const { hub, timeout, answer } = config
  if (answer === undefined) return false
  const takeBack = rememberAnswer(ctx)
  ctx.status = status
  ctx.set('Cache-Control', 'no-store')
  try {
    await callInTime({ clock: hub.clock, ms: timeout, what: '`refuse`' }, () => answer(ctx, { reason, status }))
  } catch (error) {
    hub.failed('refuse', safeError(error, secretsOf(ctx, identity)))
    takeBack()
    return false
  }
  return ctx.status !== status || Boolean(ctx.body) || ctx.respond === false
}
