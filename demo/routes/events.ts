import Router from '@koa/router'
import { eventStream, type Authenticator } from 'koa-event-stream'
import { topics } from '../events.ts'
import type { StreamGuards } from '../limits.ts'
import type { Services } from '../services.ts'

/** Milliseconds of silence. Short, so that pages soon notice a connection that has died; 25 seconds will do. */
const HEARTBEAT = 4_000

/** What every page listens to: the visitor's own events, and with `?market` the prices too. */
export function eventsRoutes({ hub }: Services, login: Authenticator, guards: StreamGuards): Router {
  const router = new Router()

  router.get(
    '/events',
    eventStream({
      hub,
      authenticate: login,
      ...guards,
      heartbeat: HEARTBEAT,
      subscribe: (stream, ctx) => {
        const own = topics.user(stream.identity.id)
        return ctx.query.market === undefined ? own : [own, topics.market]
      },
    }),
  )

  return router
}
