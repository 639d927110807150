import type { Context } from 'koa'
import { isRecord } from '../principal.ts'
import { contextSessionOf, currentKey } from '../session-key.ts'

/** A session's data: the application's own fields, without koa-session's internal ones. */
export type SessionData = Readonly<Record<string, unknown>>

/** The session that a request came with. */
export interface CurrentSession {
  readonly data: SessionData
  /** Its key in the store; `undefined` where the cookie itself is the session. */
  readonly key: string | undefined
  /** Whether this request created it, so that the store may not know it yet. */
  readonly isNew: boolean
  /** When it expires, as far as this request knows, in milliseconds since 1970; `undefined` if the browser decides. */
  readonly expiresAt: number | undefined
}

interface SessionStore {
  get(key: string, maxAge: unknown, options: { ctx: Context; rolling: boolean }): unknown
}

/** The used part of `ctx.sessionOptions`; the same in koa-session 6 and 7. */
interface SessionOptions {
  readonly store?: SessionStore
  readonly ContextStore?: new (ctx: Context) => SessionStore
  /** The name of the cookie. */
  readonly key?: string
  readonly externalKey?: { get(ctx: Context): unknown }
  readonly signed?: boolean
  readonly prefix?: string
  readonly maxAge?: number | 'session'
  rolling?: boolean
  renew?: boolean
  readonly valid?: (ctx: Context, data: Record<string, unknown>) => unknown
}

/** koa-session's default cookie name. */
const DEFAULT_COOKIE = 'koa.sess'

/** koa-session's default `maxAge`, in milliseconds. */
const DEFAULT_MAX_AGE = 24 * 60 * 60 * 1000

/**
 * Reads `ctx.session` without changing it: koa-session does not save a session that is only read.
 *
 * @throws {TypeError} if koa-session is not mounted, or if its cookie could name any key of the store.
 */
export function currentSession(ctx: Context, now: number): CurrentSession | undefined {
  const options = sessionOptions(ctx)
  const session: unknown = ctx.session
  if (!isRecord(session)) return undefined
  const key = typeof session.externalKey === 'string' ? currentKey(ctx, session.externalKey) : undefined
  if (hasStore(options) && key === undefined) {
    throw new TypeError('sessionCookie() needs `ctx.session.externalKey`: use koa-session 6.2 or later')
  }
  const isNew = session.isNew === true
  if (key !== undefined && !isNew && !mayBeNamed(key, options)) return undefined
  return {
    data: applicationFields(session),
    key,
    isNew,
    expiresAt: typeof session._expire === 'number' ? session._expire : firstExpiry(options, now),
  }
}

/**
 * Checks that koa-session has read the stored session of a request whose session is new. Mounted after the stream it
 * would give every request a new session, and nobody would be logged in.
 *
 * @throws {TypeError} if the store has a session that was not read.
 */
export async function requireRead(ctx: Context, now: number): Promise<void> {
  const options = sessionOptions(ctx)
  if (!hasStore(options)) return
  const { key: name = DEFAULT_COOKIE, externalKey, signed = true } = options
  const key: unknown = externalKey === undefined ? ctx.cookies.get(name, { signed }) : externalKey.get(ctx)
  if (typeof key !== 'string' || key === '' || !mayBeNamed(key, options)) return
  if ((await storedSession(ctx, key, now)) === undefined) return
  throw new TypeError(
    'sessionCookie() found a stored session that koa-session has not read: mount koa-session before eventStream(), `app.use(session(app))`',
  )
}

/** Reads a session from its store again, by koa-session's own rules of validity; `undefined` if it no longer exists. */
export async function storedSession(ctx: Context, key: string, now: number): Promise<SessionData | undefined> {
  const options = sessionOptions(ctx)
  const store = options.ContextStore ? new options.ContextStore(ctx) : options.store
  const data = await store?.get(key, options.maxAge, { ctx, rolling: options.rolling ?? false })
  if (!isRecord(data)) return undefined
  if (typeof data._expire === 'number' && data._expire < now) return undefined
  if (options.valid && !options.valid(ctx, data)) return undefined
  return applicationFields(data)
}

type Extension = Required<Pick<SessionOptions, 'rolling' | 'renew'>>

const KEPT: Extension = Object.freeze({ rolling: false, renew: false })

// The original settings of requests that must not extend the session until they are served.
const suspended = new WeakMap<SessionOptions, Extension>()

/**
 * Stops koa-session from extending this request's session by `rolling` or `renew`, until `resumeExpiry()`. Changes of
 * the session are still saved. Does nothing if koa-session is not mounted.
 */
export function suspendExpiry(ctx: Context): void {
  // koa-session makes a copy of its options for each request.
  const options = mountedOptions(ctx)
  if (options === undefined || suspended.has(options)) return
  const { rolling = false, renew = false } = options
  suspended.set(options, { rolling, renew })
  Object.assign(options, KEPT)
}

/** Lets koa-session extend this request's session as configured. */
export function resumeExpiry(ctx: Context): void {
  const options = mountedOptions(ctx)
  const extension = options && suspended.get(options)
  if (options === undefined || extension === undefined) return
  suspended.delete(options)
  Object.assign(options, extension)
}

/** Permanently stops koa-session from extending this request's session. Changes of the session are still saved. */
export function keepExpiry(ctx: Context): void {
  const options = mountedOptions(ctx)
  if (options === undefined) return
  suspended.delete(options)
  Object.assign(options, KEPT)
}

/**
 * Stops koa-session from extending this request's session, and from committing one that is gone from its store or whose
 * state is unknown: saving would create it again, and ending it would remove the browser's cookie, which by now may be
 * a newer one of another request. A new session that the application sets in its place is saved.
 */
export async function releaseSession(ctx: Context, now: number): Promise<void> {
  keepExpiry(ctx)
  const session = currentSession(ctx, now)
  if (session?.key === undefined || session.isNew) return
  const resume = suspendCommit(ctx)
  if ((await storedSession(ctx, session.key, now)) !== undefined) resume()
}

/**
 * Makes koa-session skip, at the end of this request, the session it came with; a session that the application sets in
 * its place is saved. Returns a function that undoes this.
 */
function suspendCommit(ctx: Context): () => void {
  const held = contextSessionOf(ctx)
  if (held === undefined) return () => undefined
  const { commit, session } = held
  const suspended = async (...args: never[]): Promise<void> => {
    if (held.session !== session) await commit.apply(held, args)
  }
  held.commit = suspended
  return () => {
    if (held.commit === suspended) held.commit = commit
  }
}

function mountedOptions(ctx: Context): SessionOptions | undefined {
  return 'session' in ctx && isRecord(ctx.sessionOptions) ? ctx.sessionOptions : undefined
}

function sessionOptions(ctx: Context): SessionOptions {
  const options = mountedOptions(ctx)
  if (options !== undefined) return options
  throw new TypeError(
    'sessionCookie() found no `ctx.session`: mount koa-session before eventStream(), `app.use(session(app))`',
  )
}

// An unsigned cookie can name any key of the store, and koa-session would read it.
function mayBeNamed(key: string, { signed, externalKey, prefix }: SessionOptions): boolean {
  if (signed !== false || externalKey !== undefined) return true
  if (prefix !== undefined && prefix !== '') return key.startsWith(prefix)
  throw new TypeError(
    "sessionCookie() refuses koa-session's `signed: false` without a `prefix`: the cookie could name any key of the store. Sign the cookie, or give the store a `prefix`",
  )
}

function hasStore(options: SessionOptions): boolean {
  return options.store !== undefined || options.ContextStore !== undefined
}

// A session created by this request gets its `_expire` only when it is saved, after the stream has been opened.
function firstExpiry({ maxAge = DEFAULT_MAX_AGE }: SessionOptions, now: number): number | undefined {
  return maxAge === 'session' ? undefined : now + maxAge
}

// The same fields as koa-session's `toJSON()`; data from the store has no such method.
function applicationFields(session: Record<string, unknown>): SessionData {
  const fields = Object.entries(session).filter(
    ([name, value]) => name !== 'isNew' && !name.startsWith('_') && typeof value !== 'function',
  )
  return Object.fromEntries(fields)
}
