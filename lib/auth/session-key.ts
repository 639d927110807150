import type { Context } from 'koa'
import { isRecord } from './principal.ts'

/** What koa-session 6 and 7 keep on the context, under a symbol of their own. */
interface ContextSession {
  readonly externalKey: string
}

/**
 * The key of the session that a request has now. `ctx.session.externalKey` goes on naming the one that it came with, also
 * when `ctx.session.regenerate()` has destroyed that and saved the session under another.
 *
 * @param key a key: what is not the one of `ctx.session` is answered as it is, as is one where koa-session tells of no other
 */
export function currentKey(ctx: Context, key: string): string {
  if (!('session' in ctx) || !isRecord(ctx.session) || ctx.session.externalKey !== key) return key
  for (const symbol of Object.getOwnPropertySymbols(ctx)) {
    const value: unknown = Reflect.get(ctx, symbol)
    if (isContextSession(value, ctx.session)) return value.externalKey
  }
  return key
}

function isContextSession(value: unknown, session: object): value is ContextSession {
  if (typeof value !== 'object' || value === null || !('session' in value) || !('externalKey' in value)) return false
  return value.session === session && typeof value.externalKey === 'string'
}
