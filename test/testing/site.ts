import type { ExecutionContext } from 'ava'
import Koa, { type Context, type Next } from 'koa'
import session from 'koa-session'
import {
  bearerToken,
  createHub,
  eventStream,
  requireIdentity,
  sessionCookie,
  stateUser,
  urlTicket,
  type EventStream,
  type HubOptions,
} from 'koa-event-stream'
import { testStreams } from 'koa-event-stream/testing'
import { PATIENCE } from '../support/progress.ts'

export interface Events {
  'order.created': { total: number }
  note: string
}

/** An application that knows nothing of tests: a mount for each way to log in, and a route behind `requireIdentity()`. */
export function createApp(options: HubOptions = {}) {
  const hub = createHub<Events>(options)
  // Refusals are part of the tests.
  hub.on('refuse', () => undefined)
  const cookie = sessionCookie({ identify: ({ userId }: { userId?: string }) => userId && { id: userId } })
  const token = bearerToken({ key: 'k'.repeat(32), algorithms: ['HS256'], issuer: 'issuer', audience: false })
  const tickets = urlTicket({ hub, audience: 'events', authenticate: cookie })
  const subscribe = ({ identity }: EventStream<Events>) => [`user:${identity.id}`, 'news']
  const mounts: Record<string, (ctx: Context) => Promise<void>> = {
    '/events': eventStream({ hub, authenticate: [token, cookie], subscribe }),
    '/verified': eventStream({
      hub,
      authenticate: stateUser({ identify: ({ sub }: { sub?: string }) => sub && { id: sub } }),
      subscribe,
    }),
    '/tickets': tickets.issue,
    '/ticketed': eventStream({ hub, authenticate: tickets, subscribe }),
    '/public': eventStream({ hub, authenticate: false, subscribe: () => 'news' }),
    '/two': eventStream({ hub, authenticate: false, subscribe: () => 'news', limits: { topics: 1 } }),
    '/replay': eventStream({ hub, authenticate: false, subscribe: () => ({ topic: 'news', replay: 10 }) }),
    '/nothing': eventStream({ hub, authenticate: cookie, subscribe: () => null }),
    '/source': eventStream({
      hub,
      authenticate: cookie,
      subscribe: async function* () {
        yield { event: 'note', data: 'one' }
        yield { event: 'note', data: 'two' }
      },
    }),
  }
  const whoAmI = requireIdentity({ hub, authenticate: [token, cookie] })
  const app = new Koa()
  app.keys = ['a key to sign cookies with']
  app.use(session(app))
  app.use(async (ctx: Context, next: Next) => {
    if (ctx.path === '/me') await whoAmI(ctx, async () => void (ctx.body = ctx.state.identity))
    else if (ctx.path === '/headers') ctx.body = { headers: ctx.headers, raw: ctx.req.rawHeaders }
    else await (mounts[ctx.path]?.(ctx) ?? next())
  })
  return { app, hub }
}

/** The application, tested by the kit. */
export async function openSite(t: ExecutionContext, options: HubOptions = {}) {
  const { app, hub } = createApp(options)
  const site = await testStreams(app, { hub, within: PATIENCE })
  t.teardown(async () => {
    await site.close()
    await hub.close()
  })
  return { app, hub, site }
}
