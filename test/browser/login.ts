import type Koa from 'koa'
import { sessionCookie } from 'koa-event-stream'
import session, { type CreateSessionOptions } from 'koa-session'

/** For `authenticate`. */
export const login = sessionCookie<{ userId?: string }>({ identify: ({ userId }) => userId && { id: userId } })

/** Adds sessions, a page that logs ann in (`/login`), and one that logs her out (`/logout`). Both go on to the page. */
export function addLogin(app: Koa, options: CreateSessionOptions = {}): void {
  app.keys = ['a key that outlives the process']
  app.use(session(options, app))
  app.use(async (ctx, next) => {
    if (ctx.path === '/login') ctx.session.userId = 'ann'
    if (ctx.path === '/logout') ctx.session = null
    await next()
  })
}
