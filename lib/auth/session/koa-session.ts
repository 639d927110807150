import type { Context } from 'koa'
import { isRecord } from '../principal.ts'

/** What a session holds: the application's own fields, without those that koa-session keeps for itself. */
export type SessionData = Readonly<Record<string, unknown>>

/** The session that a request came with. */
export interface CurrentSession {
  readonly data: SessionData
  /** Its key in the store; `undefined` where the cookie itself is the session. */
  readonly key: string | undefined
  /** Whether this request created it, so that the store may not know it yet. */
  readonly isNew: boolean
  /** When it ends as far as this request knows, in milliseconds since 1970; `undefined` where the browser decides. */
  readonly expiresAt: number | undefined
}

interface SessionStore {
  get(key: string, maxAge: unknown, options: { ctx: Context; rolling: boolean }): unknown
}

/** What is used of `ctx.sessionOptions`; the same in koa-session 6 and 7. */
interface SessionOptions {
  readonly store?: SessionStore
  readonly ContextStore?: new (ctx: Context) => SessionStore
  readonly maxAge?: number | 'session'
  rolling?: boolean
  renew?: boolean
  readonly valid?: (ctx: Context, data: Record<string, unknown>) => unknown
}

/** What koa-session takes for an absent `maxAge`, in milliseconds. */
const DEFAULT_MAX_AGE = 24 * 60 * 60 * 1000

/**
 * Reads `ctx.session` and changes nothing: a session that is only read is not saved by koa-session.
 *
 * @throws {TypeError} where koa-session is not mounted.
 */
export function currentSession(ctx: Context, now: number): CurrentSession | undefined {
  const options = sessionOptions(ctx)
  const session: unknown = ctx.session
  if (!isRecord(session)) return undefined
  const key = typeof session.externalKey === 'string' ? session.externalKey : undefined
  if (hasStore(options) && key === undefined) {
    throw new TypeError(
      'sessionCookie() needs a koa-session that tells `ctx.session.externalKey`: version 6.2 or later',
    )
  }
  return {
    data: applicationFields(session),
    key,
    isNew: session.isNew === true,
    expiresAt: typeof session._expire === 'number' ? session._expire : firstExpiry(options, now),
  }
}

/** Looks a session up in its store again, by koa-session's own rules of validity; `undefined` when it is no more. */
export async function storedSession(ctx: Context, key: string, now: number): Promise<SessionData | undefined> {
  const options = sessionOptions(ctx)
  const store = options.ContextStore ? new options.ContextStore(ctx) : options.store
  const data = await store?.get(key, options.maxAge, { ctx, rolling: options.rolling ?? false })
  if (!isRecord(data)) return undefined
  if (typeof data._expire === 'number' && data._expire < now) return undefined
  if (options.valid && !options.valid(ctx, data)) return undefined
  return applicationFields(data)
}

/**
 * Keeps koa-session from prolonging the session of this request. One that is gone from its store it would otherwise
 * create again, where `rolling` or `renew` says so or something has changed it.
 */
export async function releaseSession(ctx: Context, now: number): Promise<void> {
  // This request's own copy.
  const options = sessionOptions(ctx)
  options.rolling = false
  options.renew = false
  const session = currentSession(ctx, now)
  if (session?.key === undefined || session.isNew) return
  if ((await storedSession(ctx, session.key, now)) === undefined) ctx.session = null
}

function sessionOptions(ctx: Context): SessionOptions {
  if ('session' in ctx && isRecord(ctx.sessionOptions)) return ctx.sessionOptions
  throw new TypeError(
    'sessionCookie() found no `ctx.session`: mount koa-session before eventStream(), `app.use(session(app))`',
  )
}

function hasStore(options: SessionOptions): boolean {
  return options.store !== undefined || options.ContextStore !== undefined
}

// A session made by this very request gets its `_expire` only when it is saved, after the stream has been opened.
function firstExpiry({ maxAge = DEFAULT_MAX_AGE }: SessionOptions, now: number): number | undefined {
  return maxAge === 'session' ? undefined : now + maxAge
}

// The same fields as the `toJSON()` of koa-session, which stored data do not have.
function applicationFields(session: Record<string, unknown>): SessionData {
  const fields = Object.entries(session).filter(
    ([name, value]) => name !== 'isNew' && !name.startsWith('_') && typeof value !== 'function',
  )
  return Object.fromEntries(fields)
}
