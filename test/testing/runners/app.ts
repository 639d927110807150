import Koa from 'koa'
import session from 'koa-session'
import { createHub, eventStream, requireIdentity, sessionCookie } from 'koa-event-stream'

export interface Events {
  'order.created': { id: number; total: number }
}

/** A shop with a login by cookie, as an application has it: it knows nothing of tests. */
export function createShop() {
  const hub = createHub<Events>()
  const authenticate = sessionCookie({ identify: ({ userId }: { userId?: string }) => userId && { id: userId } })
  const identified = requireIdentity({ hub, authenticate })
  const events = eventStream({ hub, authenticate, subscribe: ({ identity }) => `orders:${identity.id}` })
  const app = new Koa()
  app.keys = ['a key to sign cookies with']
  app.use(session(app))
  app.use(async (ctx, next) => {
    if (ctx.path === '/events') await events(ctx)
    else if (ctx.path === '/orders') {
      await identified(ctx, async () => {
        const order = { id: 7, total: Number(ctx.query.total) }
        await hub.publish(`orders:${String(ctx.state.identity.id)}`, { event: 'order.created', data: order })
        ctx.status = 201
      })
    } else await next()
  })
  return { app, hub }
}
