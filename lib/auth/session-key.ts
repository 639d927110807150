import type { Context } from 'koa'

/** What koa-session 6 and 7 keep on the context, under a symbol of their own: the session's key and its store. */
interface ContextSession {
  readonly externalKey: string
  readonly store: object
}

/**
 * The key of the session that a request has now. `ctx.session.externalKey` goes on naming the one that it came with, also
 * when `ctx.session.regenerate()` has destroyed that and saved the session under another.
 *
 * @param key what `ctx.session.externalKey` says, answered where koa-session does not tell of another
 */
export function currentKey(ctx: Context, key: string): string {
  for (const symbol of Object.getOwnPropertySymbols(ctx)) {
    const value: unknown = Reflect.get(ctx, symbol)
    if (isContextSession(value)) return value.externalKey
  }
  return key
}

function isContextSession(value: unknown): value is ContextSession {
  if (typeof value !== 'object' || value === null) return false
  if (!('externalKey' in value) || !('store' in value) || !('session' in value)) return false
  return typeof value.externalKey === 'string' && typeof value.store === 'object' && value.store !== null
}
