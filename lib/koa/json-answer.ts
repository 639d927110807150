import type { Context } from 'koa'

/** Answers a request with JSON that must not be cached. */
export function tell(ctx: Context, status: 200 | 400 | 403 | 404 | 408 | 409 | 413 | 415 | 503, body: object): void {
  ctx.status = status
  ctx.set('Cache-Control', 'no-store')
  ctx.body = body
}
