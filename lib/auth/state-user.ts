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

/** A user whom middleware in front has verified, where the application does not say what it looks like. */
export type UserData = Readonly<Record<string, unknown>>

/** Who an application says that a verified user is, and by what the login can be ended. */
export interface VerifiedUser<Claims extends object = UnknownClaims> extends Principal<Claims> {
  /** The `jti` of the user's token, for `hub.revoke()` and `hub.disconnect({ token })`. */
  readonly token?: string | undefined
  /** The key of the user's session (`ctx.session.externalKey`), for `watchSessions()` and `hub.disconnect({ session })`. */
  readonly session?: string | undefined
}

export interface StateUserOptions<User = UserData, Claims extends object = UnknownClaims> {
  /**
   * Says who the user is: `{ id, expiresAt?, token?, session?, claims? }`, or something falsy for nobody. Annotate the
   * parameter to have the answer checked by the compiler.
   */
  identify: (user: User, ctx: Context) => Answer<User, VerifiedUser<Claims>>
  /** The property of `ctx.state` that has the user. Default: `user`. */
  property?: string
  /**
   * Whether the browser sends what the user was verified by of its own accord, as it does cookies: then only pages of the
   * application's own origin, and those in `origins`, may open a stream. `false` is for users who are only ever verified
   * by a header that a program has to set, such as `Authorization: Bearer`. Default: `true`.
   */
  ambient?: boolean
  /** Asked while a stream is open, and right before: whether the login still holds. By default nobody is asked. */
  holds?: (identity: Identity) => boolean | Promise<boolean>
  /** Milliseconds between two questions to `holds`. Default: 30 s. */
  revalidate?: number
  /** How long `holds` may go on failing before the stream is closed, in milliseconds. Default: 2 min. */
  grace?: number
  /** The realm named in the challenge of a 401. Default: `events`. */
  realm?: string
  /** Where time comes from. For tests. */
  clock?: Partial<Clock>
}

const OPTIONS = ['identify', 'property', 'ambient', 'holds', 'revalidate', 'grace', 'realm', 'clock'] as const

/**
 * Takes the user that middleware in front has verified and put in `ctx.state.user`, as koa-jwt and koa-passport do.
 * Nothing is verified again: whatever sets that property is believed. Without it nobody is logged in.
 *
 * It cannot know when the login ends. Say so by `expiresAt` (of a JWT `exp * 1_000`), by `token` or `session`, by which
 * the hub closes streams, or by `holds`. A user without any of them is refused with an error, as the stream would outlive
 * the login; `expiresAt: Infinity` says that it is meant to. `bearerToken()` and `sessionCookie()` know by themselves, and refuse more; where passport's user is in a session of koa-session,
 * `sessionCookie()` can read it from there.
 *
 * A login whose `expiresAt` has passed is refused with 401.
 *
 * @throws {TypeError} for a wrong option; while authenticating, for an answer of `identify` that is neither falsy nor has
 *   an `id`, or has no end.
 */
export function stateUser<User = UserData, Claims extends object = UnknownClaims>(
  options: StateUserOptions<User, Claims>,
): Authenticator<Claims> {
  knownKeys('stateUser', options, OPTIONS)
  // Only the application can know what the middleware in front leaves there.
  const identify = fn('identify', options.identify) as (user: unknown, ctx: Context) => unknown
  const property = text('property', options.property, DEFAULT_USER_PROPERTY)
  const ambient = flag('ambient', options.ambient, true)
  const realm = quotable('realm', text('realm', options.realm, DEFAULT_REALM))
  const revalidation = checkRevalidation(options)
  const clock = completeClock(options.clock)
  // A client of an API is to fetch a new token (RFC 6750, section 3.1); a browser has nothing to do with a challenge.
  const rejection = ambient ? undefined : bearerErrors(realm, '').rejection

  async function authenticate(ctx: Context): Promise<Identity<Claims> | undefined> {
    const user: unknown = ctx.state[property]
    if (!user) return undefined
    const identity = userIdentity<Claims>(await identify(user, ctx), ctx)
    if (identity !== undefined && revalidation === undefined) requireEnd(identity)
    if (identity === undefined || !hasEnded(identity, clock.now())) return identity
    throw new AuthenticationError(
      'rejected',
      'the login has ended',
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
    // Of the application's own making, in a shape that it alone knows.
    ...(claims !== undefined && { claims: claims as Claims }),
    ...(token !== undefined && { token }),
    // One that the application has from `ctx.session.externalKey` may have got another key since.
    ...(session !== undefined && { session: currentKey(ctx, session) }),
  })
}

// Not at start-up: only `identify` can tell, for each user.
function requireEnd({ expiresAt, token, session }: Identity<object>): void {
  if (expiresAt !== undefined || token !== undefined || session !== undefined) return
  throw new TypeError(
    'stateUser() cannot tell when the login ends: let `identify` answer `expiresAt`, `token` or `session`, or give `holds`; `expiresAt: Infinity` is for logins without an end',
  )
}

function checkRevalidation<User, Claims extends object>(
  options: StateUserOptions<User, Claims>,
): Revalidation | undefined {
  const { holds, revalidate, grace } = options
  if (holds === undefined) {
    if (revalidate === undefined && grace === undefined) return undefined
    throw new TypeError('`revalidate` and `grace` are only of use with `holds`')
  }
  return Object.freeze({ ...checkRevalidationPace(options), holds: fn('holds', holds) })
}
