import type { Context } from 'koa'
import { isRecord } from '../principal.ts'
import { contextSessionOf, currentKey } from '../session-key.ts'

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

/** What koa-session calls its cookie unless told otherwise. */
const DEFAULT_COOKIE = 'koa.sess'

/** What koa-session takes for an absent `maxAge`, in milliseconds. */
const DEFAULT_MAX_AGE = 24 * 60 * 60 * 1000

/**
 * Reads `ctx.session` and changes nothing: a session that is only read is not saved by koa-session.
 *
 * @throws {TypeError} where koa-session is not mounted, and where its cookie could name any key of the store.
 */
export function currentSession(ctx: Context, now: number): CurrentSession | undefined {
  const options = sessionOptions(ctx)
  const session: unknown = ctx.session
  if (!isRecord(session)) return undefined
  const key = typeof session.externalKey === 'string' ? currentKey(ctx, session.externalKey) : undefined
  if (hasStore(options) && key === undefined) {
    throw new TypeError(
      'sessionCookie() needs a koa-session that tells `ctx.session.externalKey`: version 6.2 or later',
    )
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
 * Makes sure that koa-session has looked for the session of a request that has a new one: mounted behind the stream, it
 * gives everybody a new one, and nobody is logged in.
 *
 * @throws {TypeError} where the store has a session that was not read.
 */
export async function requireRead(ctx: Context, now: number): Promise<void> {
  const options = sessionOptions(ctx)
  if (!hasStore(options)) return
  const { key: name = DEFAULT_COOKIE, externalKey, signed = true } = options
  const key: unknown = externalKey === undefined ? ctx.cookies.get(name, { signed }) : externalKey.get(ctx)
  if (typeof key !== 'string' || key === '' || !mayBeNamed(key, options)) return
  if ((await storedSession(ctx, key, now)) === undefined) return
  throw new TypeError(
    'sessionCookie() finds a session that koa-session has not read: mount koa-session before eventStream(), `app.use(session(app))`',
  )
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

type Extension = Required<Pick<SessionOptions, 'rolling' | 'renew'>>

const KEPT: Extension = Object.freeze({ rolling: false, renew: false })

// What koa-session was told of requests that prolong nothing until they are served.
const suspended = new WeakMap<SessionOptions, Extension>()

/**
 * Keeps koa-session from prolonging the session of this request by `rolling` or `renew`, until `resumeExpiry()`. What changes
 * it is saved. Where koa-session is not mounted, nobody has asked for a session yet.
 */
export function suspendExpiry(ctx: Context): void {
  // This request's own copy.
  const options = mountedOptions(ctx)
  if (options === undefined || suspended.has(options)) return
  const { rolling = false, renew = false } = options
  suspended.set(options, { rolling, renew })
  Object.assign(options, KEPT)
}

/** Lets koa-session prolong the session of this request as it was told to. */
export function resumeExpiry(ctx: Context): void {
  const options = mountedOptions(ctx)
  const extension = options && suspended.get(options)
  if (options === undefined || extension === undefined) return
  suspended.delete(options)
  Object.assign(options, extension)
}

/** Keeps koa-session from prolonging the session of this request for good. What changes it is saved. */
export function keepExpiry(ctx: Context): void {
  const options = mountedOptions(ctx)
  if (options === undefined) return
  suspended.delete(options)
  Object.assign(options, KEPT)
}

/**
 * Keeps koa-session from prolonging the session of this request, and from all that it would still do with one that is gone
 * from its store, or that nobody can tell of: saving it would create it again, and ending it would take the cookie from the
 * browser, which may have a newer one of another request by now. Another that the application sets in its place is saved.
 */
export async function releaseSession(ctx: Context, now: number): Promise<void> {
  keepExpiry(ctx)
  const session = currentSession(ctx, now)
  if (session?.key === undefined || session.isNew) return
  const resume = suspendCommit(ctx)
  if ((await storedSession(ctx, session.key, now)) !== undefined) resume()
}

/**
 * Has koa-session do nothing at the end of this request with the session that it came with: one that the application sets
 * in its place is saved. What is answered takes that back.
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

// Who is not kept from it by a signature may name whatever else is in the store, which koa-session then reads.
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
