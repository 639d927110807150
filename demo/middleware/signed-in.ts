import type { Middleware } from 'koa'
import type { Visitor } from './visitor.ts'

/** `ctx.state` of a page that only somebody who is logged in gets to see. */
export type SignedIn = Required<Visitor>

/** Turns visitors without a login away: to the login page, and back to where they wanted to go. */
export const signedIn: Middleware<Visitor> = (ctx, next) => {
  if (ctx.state.account) return next()
  if (ctx.method !== 'GET' || !ctx.accepts('html')) ctx.throw(401)
  ctx.redirect(ctx.path === '/' ? '/login' : `/login?next=${encodeURIComponent(ctx.url)}`)
  return undefined
}
