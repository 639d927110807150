import type { Context } from 'koa'

/** What koa-session 6 and 7 keep of a request on its context, under a symbol of their own. */
export interface ContextSession {
  /** `false` once the request has ended it, `undefined` before it has been looked at. */
  readonly session: unknown
  readonly externalKey: unknown
  /** Saves or destroys the session, and sets the cookie, as is called for at the end of the request. */
  commit: (...args: never[]) => unknown
}

/** What koa-session keeps of a request; `undefined` where it keeps nothing, or not in this shape. */
export function contextSessionOf(ctx: object): ContextSession | undefined {
  for (const symbol of Object.getOwnPropertySymbols(ctx)) {
    const value: unknown = Reflect.get(ctx, symbol)
    if (isContextSession(value, ctx)) return value
  }
  return undefined
}

/**
 * The key of the session that a request has now. `ctx.session.externalKey` goes on naming the one that it came with, also
 * when `ctx.session.regenerate()` has destroyed that and saved the session under another.
 *
 * @param key a key: what is not the one of `ctx.session` is answered as it is, as is one where koa-session tells of no other
 */
export function currentKey(ctx: Context, key: string): string {
  if (!('session' in ctx)) return key
  const session: unknown = ctx.session
  if (typeof session !== 'object' || session === null) return key
  if (!('externalKey' in session) || session.externalKey !== key) return key
  const held = contextSessionOf(ctx)
  return held?.session === session && typeof held.externalKey === 'string' ? held.externalKey : key
}

function isContextSession(value: unknown, ctx: object): value is ContextSession {
  if (typeof value !== 'object' || value === null || !('ctx' in value) || value.ctx !== ctx) return false
  return 'session' in value && 'externalKey' in value && 'commit' in value && typeof value.commit === 'function'
}
