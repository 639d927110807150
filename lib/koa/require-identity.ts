import type { Context, Middleware } from 'koa'
import { callInTime } from '../application.ts'
import type { Authenticator } from '../auth/authenticator.ts'
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

/** A refusal, as an application may answer it in its own way. */
export interface IdentityRefusal {
  readonly reason: RefusalReason
  /** What is answered unless the application answers something else. */
  readonly status: Refusal['status']
}

export interface RequireIdentityOptions<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
> {
  /** The hub that logins are revoked on, from `createHub()`. It tells of refusals by its event `refuse`. */
  hub: Hub<Events>
  /** Who is let in: asked as `eventStream()` asks. Tickets are not for ordinary routes. */
  authenticate: Login
  /**
   * Other origins whose pages may use the user's cookie, as those of `eventStream()`. Whoever follows a link of another
   * site's, or of a mail, is let in: a GET or HEAD that shows in a tab, as `Sec-Fetch-Mode` and `Sec-Fetch-Dest` say, lets
   * no other page read anything. So they must not change anything, as RFC 9110, section 9.2.1, asks. Default: none.
   */
  origins?: readonly string[]
  /** Refuses plain HTTP with 403, before anybody is asked who is calling. Default `false`. */
  requireSecure?: boolean
  limits?: {
    /** How often requests may come, as `limits.rate` of `eventStream()`: beyond it, 429 with `Retry-After`. Default: none. */
    rate?: { identity?: RateLimiter; address?: RateLimiter }
    /** Milliseconds that authentication, and then `refuse`, may take. Default 10,000. */
    timeout?: number
  }
  /**
   * Answers who is refused, such as by `ctx.redirect('/login')` or a page as `ctx.body`, whose status is the refusal's
   * unless it sets one. What it leaves unanswered, throws at or takes too long for is answered as `eventStream()` does, also
   * after `ctx.respond = false`; the latter two are a `fault`. Of its answer nothing stays then that it has set by that time;
   * a session that it has changed is the application's. What it still sets once its time is over cannot be kept from it, and
   * may get into the answer: that is its own mistake, and the `fault` tells of it. Default: as `eventStream()`.
   */
  refuse?: (ctx: Context, refusal: IdentityRefusal) => unknown
}

/** A Koa middleware behind which `ctx.state.identity` is who is asking. */
export type IdentityMiddleware<Who> = Middleware<{ identity: Who }>

interface IdentityConfig extends DoorConfig {
  readonly answer: ((ctx: Context, refusal: IdentityRefusal) => unknown) | undefined
}

const KEYS = ['hub', 'authenticate', 'origins', 'requireSecure', 'limits', 'refuse'] as const

/**
 * The logins of streams for ordinary routes: a Koa middleware that sets `ctx.state.identity` and calls the next one, or
 * refuses as `eventStream()` does: 401 with its challenges, 400 for credentials that are malformed, 403 for a page of
 * another origin, 503 where nobody can tell, 429 at a limit.
 *
 * It honours what ends streams: `hub.revoke`, the end of a session, `expiresAt`, `holds`, and a `hub.disconnect()` since the
 * request arrived. As right before a stream opens, all of that is asked once more when it is known who is calling: with
 * `sessionCookie()` a second look into the store.
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

/** Whether a login still holds: asks once more, and answers the request where it does not. */
export type Stands = () => Promise<boolean>

/** Does what a route does for who has been let in. */
type GuardedWork = (stands: Stands) => Promise<void>

/**
 * `requireIdentity()` for routes that take their time before they do something, such as to read a body that may come as
 * slowly as its client likes: the login may end meanwhile.
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
      await turnDown(ctx, config, caller)
      return
    }
    const stands: Stands = async () => {
      const refusal = await lapse(ctx, config, caller)
      if (refusal !== undefined) await turnDown(ctx, config, refusal)
      return refusal === undefined
    }
    // What its claims look like is the word of the authenticator that made it.
    ctx.state.identity = caller.identity
    resume(ctx, config)
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

/** Why a login does not hold any more at this moment, if it does not. */
async function lapse(ctx: Context, config: IdentityConfig, caller: Caller): Promise<Refusal | undefined> {
  const refusal = (await verify(ctx, caller, config)) ?? endedMeanwhile(ctx, caller, config)
  if (refusal !== undefined) await forget(ctx, config, caller)
  return refusal
}

async function turnDown(ctx: Context, config: IdentityConfig, refusal: Refusal): Promise<void> {
  if (!(await isAnswered(ctx, config, refusal))) {
    refuse(ctx, config, refusal)
    return
  }
  const { reason, status, challenges = [], error } = refusal
  // RFC 9110, section 15.5.2: a 401 carries a challenge, also with a page of the application's.
  if (ctx.status === 401 && !ctx.res.hasHeader('WWW-Authenticate')) ctx.set('WWW-Authenticate', [...challenges])
  config.hub.refused(reason, status, error, callerOf(ctx))
}

/** Whether the application answers a refusal in its own way. */
async function isAnswered(ctx: Context, config: IdentityConfig, { reason, status }: Refusal): Promise<boolean> {
  const { hub, timeout, answer } = config
  if (answer === undefined) return false
  const takeBack = rememberAnswer(ctx)
  ctx.status = status
  ctx.set('Cache-Control', 'no-store')
  try {
    await callInTime({ clock: hub.clock, ms: timeout, what: '`refuse`' }, () => answer(ctx, { reason, status }))
  } catch (error) {
    hub.failed('refuse', safeError(error, secretsOf(ctx)))
    takeBack()
    return false
  }
  return ctx.status !== status || Boolean(ctx.body) || ctx.respond === false
}
