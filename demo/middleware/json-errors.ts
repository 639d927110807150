import Koa, { type Middleware } from 'koa'

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
