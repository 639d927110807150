import type { Context } from 'koa'
import { completeClock, type Clock } from '../clock.ts'
import { flag, fn, knownKeys, text } from '../options.ts'
import { AuthenticationError } from './authentication-error.ts'
import type { Authenticator, Revalidation } from './authenticator.ts'
import { bearerErrors } from './bearer-error.ts'
import { challenge, DEFAULT_REALM, quotable } from './challenge.ts'
import { checkPrincipal, type Answer, type Principal } from './principal.ts'
import { createIdentity, hasEnded, type Identity, type UnknownClaims } from './identity.ts'
import { checkRevalidationPace } from './revalidation.ts'
import { currentKey } from './session-key.ts'

/** The property of `ctx.state` that koa-jwt and koa-passport use. */
export const DEFAULT_USER_PROPERTY = 'user'

/** A user verified by earlier middleware, of unknown shape. */
export type UserData = Readonly<Record<string, unknown>>

/** The principal of a verified user, and what can end its login. */
export interface VerifiedUser<Claims extends object = UnknownClaims> extends Principal<Claims> {
  /** The `jti` of the user's token, for `hub.revoke()` and `hub.disconnect({ token })`. */
  readonly token?: string | undefined
  /** The key of the user's session (`ctx.session.externalKey`), for `watchSessions()` and `hub.disconnect({ session })`. */
  readonly session?: string | undefined
}

export interface StateUserOptions<User = UserData, Claims extends object = UnknownClaims> {
  /**
   * Returns the principal: `{ id, expiresAt?, token?, session?, claims? }`, or a falsy value for nobody. Annotate the
   * parameter to have the result type-checked.
   */
  identify: (user: User, ctx: Context) => Answer<User, VerifiedUser<Claims>>
  /** The property of `ctx.state` that holds the user. Default: `user`. */
  property?: string
  /**
   * Whether the browser sends the user's credentials automatically, as it does cookies: then only pages of the
   * application's own origin, and those in `origins`, may open a stream. Use `false` only if every user is
   * authenticated by a header that a program must set, such as `Authorization: Bearer`. Default: `true`.
   */
  ambient?: boolean
  /**
   * Whether the login is still valid. Called before a stream opens and periodically while it is open. Default: no
   * check.
   */
  holds?: (identity: Identity) => boolean | Promise<boolean>
  /** Milliseconds between calls of `holds`. Default: 30 s. */
  revalidate?: number
  /** How long `holds` may keep failing before the stream is closed, in milliseconds. Default: 2 min. */
  grace?: number
  /** The realm named in the challenge of a 401. Default: `events`. */
  realm?: string
  /** Source of time. For tests, which give it the hub's. */
  clock?: Partial<Clock> | undefined
}

const OPTIONS = ['identify', 'property', 'ambient', 'holds', 'revalidate', 'grace', 'realm', 'clock'] as const

/**
 * Uses the user that earlier middleware has verified and put in `ctx.state.user`, as koa-jwt and koa-passport do.
 * Nothing is verified again: the property is trusted. Without it nobody is logged in.
 *
 * It cannot know when the login ends. Provide that with `expiresAt` (for a JWT `exp * 1_000`), with `token` or
 * `session`, by which the hub closes streams, or with `holds`. A user without any of them causes an error, as the
 * stream would outlive the login; `expiresAt: Infinity` allows that explicitly. `bearerToken()` and `sessionCookie()`
 * know the end of a login and check more; if passport stores its user in a session of koa-session, `sessionCookie()`
 * can read it from there.
 *
 * A login whose `expiresAt` has passed is refused with 401.
 *
 * @throws {TypeError} for an invalid option; while authenticating, if `identify` returns a truthy value without an `id`
 *   or without an end.
 */
export function stateUser<User = UserData, Claims extends object = UnknownClaims>(
  options: StateUserOptions<User, Claims>,
): Authenticator<Claims> {
  knownKeys('stateUser', options, OPTIONS)
  // The type is the application's promise: earlier middleware sets the value.
  const identify = fn('identify', options.identify) as (user: unknown, ctx: Context) => unknown
  const property = text('property', options.property, DEFAULT_USER_PROPERTY)
  const ambient = flag('ambient', options.ambient, true)
  const realm = quotable('realm', text('realm', options.realm, DEFAULT_REALM))
  const revalidation = checkRevalidation(options)
  const clock = completeClock(options.clock)
  // An API client must fetch a new token (RFC 6750, section 3.1); browsers ignore this challenge.
  const rejection = ambient ? undefined : bearerErrors(realm, '').rejection

  async function authenticate(ctx: Context): Promise<Identity<Claims> | undefined> {
    const user: unknown = ctx.state[property]
    if (!user) return undefined
    const identity = userIdentity<Claims>(await identify(user, ctx), ctx)
    if (identity !== undefined && revalidation === undefined) requireEnd(identity)
    if (identity === undefined || !hasEnded(identity, clock.now())) return identity
    throw new AuthenticationError(
      'rejected',
      'the login has expired',
      rejection === undefined ? {} : { challenge: rejection },
    )
  }

  return Object.freeze({
    scheme: 'user',
    challenge: challenge(ambient ? 'Cookie' : 'Bearer', { realm }),
    ...(rejection !== undefined && { rejection }),
    ambient,
    authenticate,
    ...(revalidation !== undefined && { revalidation }),
  })
}

function userIdentity<Claims extends object>(answer: unknown, ctx: Context): Identity<Claims> | undefined {
  const principal = checkPrincipal(answer)
  if (principal === undefined) return undefined
  const { claims, ...others } = principal
  const { token, session } = answer as VerifiedUser
  return createIdentity<Claims>({
    ...others,
    scheme: 'user',
    // Built by the application, in the shape it declares.
    ...(claims !== undefined && { claims: claims as Claims }),
    ...(token !== undefined && { token }),
    // The key may have changed since the application read `ctx.session.externalKey`.
    ...(session !== undefined && { session: currentKey(ctx, session) }),
  })
}

// Not checked at start-up: the end depends on what `identify` returns for each user.
function requireEnd({ expiresAt, token, session }: Identity<object>): void {
  if (expiresAt !== undefined || token !== undefined || session !== undefined) return
  throw new TypeError(
    'stateUser() cannot tell when the login ends: return `expiresAt`, `token` or `session` from `identify`, or set `holds`; for logins without an end return `expiresAt: Infinity`',
  )
}

function checkRevalidation<User, Claims extends object>(
  options: StateUserOptions<User, Claims>,
): Revalidation | undefined {
  const { holds, revalidate, grace } = options
  if (holds === undefined) {
    if (revalidate === undefined && grace === undefined) return undefined
    throw new TypeError('`revalidate` and `grace` require `holds`')
  }
  return Object.freeze({ ...checkRevalidationPace(options), holds: fn('holds', holds) })
}
