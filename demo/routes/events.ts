import Router from '@koa/router'
import { eventStream, presenceOf, type Authenticator } from 'koa-event-stream'
import { topics } from '../events.ts'
import type { StreamGuards } from '../limits.ts'
import type { Services } from '../services.ts'

/** Milliseconds of silence. Short, so that pages soon notice a connection that has died; 25 seconds will do. */
const HEARTBEAT = 4_000

/**
 * What every page listens to: the visitor's own events, and with `?market` the prices too. Whoever follows those is on the
 * trading floor, and hears who else is.
 */
export function eventsRoutes({ hub, accounts }: Services, login: Authenticator, guards: StreamGuards): Router {
  const router = new Router()

  router.get(
    '/events',
    eventStream({
      hub,
      authenticate: login,
      ...guards,
      heartbeat: HEARTBEAT,
      subscribe: (stream, ctx) => {
        const { id } = stream.identity
        const own = topics.user(id)
        if (ctx.query.market === undefined) return own
        const presence = { name: accounts.find(id)?.name ?? id }
        return [own, { topic: topics.market, presence }, presenceOf(topics.market)]
      },
    }),
  )

  return router
}
