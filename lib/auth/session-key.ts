import type { Context } from 'koa'

/** What koa-session 6 and 7 store on the context, under a private symbol. */
export interface ContextSession {
  /** `false` once the request has ended it, `undefined` until it is first read. */
  readonly session: unknown
  readonly externalKey: unknown
  /** Saves or destroys the session and sets the cookie at the end of the request. */
  commit: (...args: never[]) => unknown
}

/** koa-session's state for a request, or `undefined` if there is none of this shape. */
export function contextSessionOf(ctx: object): ContextSession | undefined {
  for (const symbol of Object.getOwnPropertySymbols(ctx)) {
    const value: unknown = Reflect.get(ctx, symbol)
    if (isContextSession(value, ctx)) return value
  }
  return undefined
}

/**
 * The current key of the request's session. `ctx.session.externalKey` stays the key the request came with, even after
 * `ctx.session.regenerate()` has destroyed that session and saved it under another key.
 *
 * @param key returned unchanged if it is not `ctx.session.externalKey`, or if koa-session has no other key
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
