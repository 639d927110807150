import Koa, { type Middleware } from 'koa'
import { render } from '../views/render.ts'

const HEADINGS: Readonly<Record<number, string>> = {
  403: 'Not allowed',
  404: 'Nothing here',
  413: 'Too much at once',
  503: 'Back in a moment',
}

/** Shows errors as a page to those who asked for one. What the error says itself is shown only where it is meant to be. */
export const errorPage: Middleware = async (ctx, next) => {
  try {
    await next()
    if (ctx.status === 404 && !ctx.body) ctx.throw(404, 'This page does not exist.')
  } catch (error) {
    if (ctx.accepts('text', 'html') !== 'html') throw error
    const { status, message } = error instanceof Koa.HttpError && error.expose ? error : UNEXPECTED
    if (status >= 500) ctx.app.emit('error', error, ctx)
    ctx.status = status
    render(ctx, 'error', { status, heading: HEADINGS[status] ?? 'That did not work', message })
  }
}

const UNEXPECTED = { status: 500, message: 'Something went wrong on our side. Please try again.' }
