import { STATUS_CODES } from 'node:http'
import Koa, { type Context, type Middleware } from 'koa'
import type { IdentityRefusal } from 'koa-event-stream'

/** Answers errors as `{ "error": … }`. What the error says itself is shown only where it is meant to be. */
export const jsonErrors: Middleware = async (ctx, next) => {
  try {
    await next()
    if (ctx.status === 404 && !ctx.body) ctx.throw(404)
  } catch (error) {
    if (!(error instanceof Koa.HttpError) || !error.expose) throw error
    ctx.status = error.status
    ctx.set(error.headers ?? {})
    ctx.body = { error: error.message }
  }
}

/** Answers those whom `requireIdentity()` refuses in the same way. */
export function jsonRefusal(ctx: Context, { status }: IdentityRefusal): void {
  ctx.body = { error: STATUS_CODES[status] }
}
