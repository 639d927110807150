import Koa from 'koa'
import session from 'koa-session'
import Router from '@koa/router'
import { createHub, eventStream, sessionCookie } from 'koa-event-stream'

export const hub = createHub()
const login = sessionCookie({ identify: (session: { userId?: string }) => session.userId && { id: session.userId } })
const router = new Router()
router.get('/events', eventStream({ hub, authenticate: login, subscribe: stream => `user:${stream.identity.id}` }))
router.post('/login', ctx => {
  ctx.body = ctx.session.userId = 'ada' // after checking a password
})
router.post('/orders', async ctx => {
  ctx.body = await hub.publish('user:ada', { event: 'order.created', data: { total: 42 } })
})
export const app = new Koa({ keys: [process.env.SESSION_KEY ?? 'only for trying it out'] })
app.use(session(app)).use(router.routes())
