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

/** How long the session store may take to answer: 5 seconds, in milliseconds. */
export const DEFAULT_SESSION_TIMEOUT = 5_000

export interface SessionCookieOptions<Session extends object = SessionData, Claims extends object = UnknownClaims> {
  /**
   * Says whose session it is: `{ id, expiresAt?, claims? }`, or something falsy when nobody is logged in.
   *
   * It gets a copy of the session's own fields, when the stream is opened and at every look into the store. It is not
   * asked about an empty session. Annotate the parameter to have the answer checked by the compiler.
   */
  identify: (session: Session) => Answer<Session, Principal<Claims>>
  /**
   * Whether asking for a stream, or a ticket, prolongs the session, where koa-session is told `rolling` or `renew`. A page
   * that is left open comes back for its stream by itself: with `false` that is no activity, and a user who does nothing
   * else is logged out after the `maxAge` of koa-session. Behind `requireIdentity()` a session is prolonged as on any
   * route. Default: `true`.
   */
  streamsProlong?: boolean
  /** Milliseconds between two looks into the session store while a stream is open. Default: 30 s. */
  revalidate?: number
  /** How long those looks may go on failing before the stream is closed, in milliseconds. Default: 2 min. */
  grace?: number
  /** How long one look, or `identify`, may take, in milliseconds. Default: 5 s. */
  timeout?: number
  /** The realm named in the challenge of a 401. Default: `events`. */
  realm?: string
  /** Where time comes from. For tests. */
  clock?: Partial<Clock>
}

const OPTIONS = ['identify', 'streamsProlong', 'revalidate', 'grace', 'timeout', 'realm', 'clock'] as const

/**
 * Authenticates by the session of koa-session (6.2 to 7), which must be mounted before. It only ever reads
 * `ctx.session`: it never saves, prolongs or creates a session. A request that gets no stream does not prolong one
 * either, and where its session has been destroyed meanwhile, koa-session neither creates it again nor sets a cookie.
 *
 * With a session store (`store` or `ContextStore`) an open stream's session is looked up every `revalidate`
 * milliseconds. The stream is closed when the session is gone, has expired, or is another user's. A session that the
 * stream's own request created is believed for the first of these periods, as koa-session saves it only after the
 * request; a login into an older session within that request has to be saved first: `await ctx.session.save()`.
 *
 * Without a store the cookie is the session and nothing can end it early: the stream is closed at the expiry that the
 * cookie had when the stream was opened, and the browser comes back with the cookie it has by then.
 *
 * @throws {TypeError} for a wrong option; while authenticating, where koa-session is not mounted before, and where with
 *   `signed: false` and no `prefix` the cookie could name any key of the store. With a `prefix`, no other key is a session.
 */
export function sessionCookie<Session extends object = SessionData, Claims extends object = UnknownClaims>(
  options: SessionCookieOptions<Session, Claims>,
): Authenticator<Claims> {
  knownKeys('sessionCookie', options, OPTIONS)
  // What comes from a session is the application's own; only the application can know that it has this shape.
  const identify = fn('identify', options.identify) as (session: SessionData) => unknown
  const pace = checkRevalidationPace(options)
  const timeout = duration('timeout', options.timeout, { default: DEFAULT_SESSION_TIMEOUT })
  const realm = quotable('realm', text('realm', options.realm, DEFAULT_REALM))
  const clock = completeClock(options.clock)
  const streamsProlong = flag('streamsProlong', options.streamsProlong, true)

  // Koa keeps the context for as long as the response is open, so this holds nothing alive that was not.
  const contexts = new WeakMap<Identity, Context>()
  const createdAt = new WeakMap<Identity, number>()

  function bounded<T>(call: () => Promise<T>): Promise<T> {
    const late = () => new AuthenticationError('unavailable', 'the session could not be read in time')
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
    if (ctx === undefined) throw new TypeError('this sessionCookie() did not make that identity')
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
  // A stored session is prolonged by the user's other requests, so the expiry that this request saw is not its end.
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
