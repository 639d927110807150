import type { Context } from 'koa'
import { callInTime } from '../../application.ts'
import { completeClock, type Clock } from '../../clock.ts'
import { duration, flag, fn, knownKeys, text } from '../../options.ts'
import { AuthenticationError } from '../authentication-error.ts'
import type { Authenticator } from '../authenticator.ts'
import { challenge, DEFAULT_REALM, quotable } from '../challenge.ts'
import { checkPrincipal, type Answer, type CheckedPrincipal, type Principal } from '../principal.ts'
import { createIdentity, hasEnded, type Identity, type UnknownClaims } from '../identity.ts'
import { checkRevalidationPace } from '../revalidation.ts'
import {
  currentSession,
  keepExpiry,
  releaseSession,
  requireRead,
  resumeExpiry,
  storedSession,
  suspendExpiry,
  type CurrentSession,
  type SessionData,
} from './koa-session.ts'

/** The default timeout of the session store: 5 seconds, in milliseconds. */
export const DEFAULT_SESSION_TIMEOUT = 5_000

export interface SessionCookieOptions<Session extends object = SessionData, Claims extends object = UnknownClaims> {
  /**
   * Returns the session's principal: `{ id, expiresAt?, claims? }`, or a falsy value if nobody is logged in.
   *
   * Called with a copy of the session's own fields, when the stream is opened and at every revalidation. Not called for
   * an empty session. Annotate the parameter to have the result type-checked.
   */
  identify: (session: Session) => Answer<Session, Principal<Claims>>
  /**
   * Whether a request for a stream or a ticket extends the session, if koa-session is configured with `rolling` or
   * `renew`. A page left open reconnects by itself: with `false` that is not activity, and a user who does nothing else
   * is logged out after koa-session's `maxAge`. Behind `requireIdentity()` a session is extended as on any route.
   * Default: `true`.
   */
  streamsProlong?: boolean
  /** Milliseconds between checks of the session store while a stream is open. Default: 30 s. */
  revalidate?: number
  /** How long those checks may keep failing before the stream is closed, in milliseconds. Default: 2 min. */
  grace?: number
  /** The timeout of one check, and of `identify`, in milliseconds. Default: 5 s. */
  timeout?: number
  /** The realm named in the challenge of a 401. Default: `events`. */
  realm?: string
  /** Source of time. For tests, which give it the hub's. */
  clock?: Partial<Clock> | undefined
}

const OPTIONS = ['identify', 'streamsProlong', 'revalidate', 'grace', 'timeout', 'realm', 'clock'] as const

/**
 * Authenticates by koa-session's session (6.2 to 7), which must be mounted before. It only reads `ctx.session`: it
 * never saves, extends or creates a session. A request that gets no stream does not extend it either, and if its
 * session has been destroyed meanwhile, koa-session neither recreates it nor sets a cookie.
 *
 * With a session store (`store` or `ContextStore`) an open stream's session is checked every `revalidate` milliseconds.
 * The stream is closed when the session is gone, has expired, or belongs to another user. A session created by the
 * stream's own request is assumed valid for the first of these periods, as koa-session saves it only after the request;
 * a login into an older session within that request must be saved first: `await ctx.session.save()`.
 *
 * Without a store the cookie is the session and cannot be revoked: the stream is closed at the expiry that the cookie
 * had when the stream was opened, and the browser reconnects with its current cookie.
 *
 * @throws {TypeError} for an invalid option; while authenticating, if koa-session is not mounted before, or if with
 *   `signed: false` and no `prefix` the cookie could name any key of the store. With a `prefix`, keys without it are
 *   not accepted as sessions.
 */
export function sessionCookie<Session extends object = SessionData, Claims extends object = UnknownClaims>(
  options: SessionCookieOptions<Session, Claims>,
): Authenticator<Claims> {
  knownKeys('sessionCookie', options, OPTIONS)
  // Session data is the application's own; the type is its promise.
  const identify = fn('identify', options.identify) as (session: SessionData) => unknown
  const pace = checkRevalidationPace(options)
  const timeout = duration('timeout', options.timeout, { default: DEFAULT_SESSION_TIMEOUT })
  const realm = quotable('realm', text('realm', options.realm, DEFAULT_REALM))
  const clock = completeClock(options.clock)
  const streamsProlong = flag('streamsProlong', options.streamsProlong, true)

  // Koa keeps the context while the response is open, so this extends no lifetimes.
  const contexts = new WeakMap<Identity, Context>()
  const createdAt = new WeakMap<Identity, number>()

  function bounded<T>(call: () => Promise<T>): Promise<T> {
    const late = () => new AuthenticationError('unavailable', 'the session store did not answer in time')
    return callInTime({ clock, ms: timeout, what: 'the session', late }, call)
  }

  async function principalOf(data: SessionData): Promise<CheckedPrincipal | undefined> {
    return Object.keys(data).length === 0 ? undefined : checkPrincipal(await identify(data))
  }

  async function authenticate(ctx: Context): Promise<Identity<Claims> | undefined> {
    const now = clock.now()
    const session = currentSession(ctx, now)
    if (session === undefined) return undefined
    const principal = await bounded(() => principalOf(session.data))
    if (principal === undefined) {
      if (session.isNew) await bounded(() => requireRead(ctx, now))
      return undefined
    }
    const identity = sessionIdentity<Claims>(principal, session)
    if (hasEnded(identity, clock.now())) return undefined
    contexts.set(identity, ctx)
    if (session.isNew) createdAt.set(identity, now)
    return identity
  }

  async function holdsInStore(identity: Identity, ctx: Context, key: string): Promise<boolean> {
    const data = await storedSession(ctx, key, clock.now())
    if (data === undefined) return isAwaitingItsSave(identity)
    const principal = await principalOf(data)
    return principal?.id === identity.id && !hasEnded(principal, clock.now())
  }

  function isAwaitingItsSave(identity: Identity): boolean {
    const since = createdAt.get(identity)
    return since !== undefined && clock.now() - since < pace.interval
  }

  function holds(identity: Identity): boolean | Promise<boolean> {
    const ctx = contexts.get(identity)
    if (ctx === undefined) throw new TypeError('the identity was not created by this sessionCookie()')
    const { session } = identity
    return session === undefined || bounded(() => holdsInStore(identity, ctx, session))
  }

  return Object.freeze({
    scheme: 'session',
    challenge: challenge('Cookie', { realm }),
    ambient: true,
    authenticate,
    suspend: suspendExpiry,
    resume(ctx: Context, route: 'stream' | 'ordinary') {
      if (route === 'stream' && !streamsProlong) keepExpiry(ctx)
      else resumeExpiry(ctx)
    },
    forget: (ctx: Context) => bounded(() => releaseSession(ctx, clock.now())),
    revalidation: Object.freeze({ ...pace, holds }),
  })
}

function sessionIdentity<Claims extends object>(
  principal: CheckedPrincipal,
  session: CurrentSession,
): Identity<Claims> {
  // The user's other requests extend a stored session, so the expiry seen by this request is not final.
  const cookieEnd = session.key === undefined ? session.expiresAt : undefined
  const expiresAt = Math.min(principal.expiresAt ?? Infinity, cookieEnd ?? Infinity)
  return createIdentity<Claims>({
    id: principal.id,
    scheme: 'session',
    ...(expiresAt !== Infinity && { expiresAt }),
    ...(session.key !== undefined && { session: session.key }),
    ...(principal.claims !== undefined && { claims: principal.claims as Claims }),
  })
}
