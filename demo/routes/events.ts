import Router from '@koa/router'
import { eventStream, type Authenticator } from 'koa-event-stream'
import { topics } from '../events.ts'
import type { StreamGuards } from '../limits.ts'
import type { Services } from '../services.ts'

/**
 * A page is rendered a moment before its stream opens. What happened in between is among the last few events, and every
 * event can be applied twice without harm.
 */
const REPLAY = 20

/** Milliseconds of silence. Short, so that the page about the connection has something to show; 25 seconds will do. */
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
      heartbeat: { interval: HEARTBEAT, event: 'heartbeat' },
      subscribe: (stream, ctx) => {
        const own = { topic: topics.user(stream.identity.id), replay: REPLAY }
        return ctx.query.market === undefined ? [own] : [own, topics.market]
      },
    }),
  )

  return router
}
