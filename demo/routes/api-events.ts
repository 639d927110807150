import Router from '@koa/router'
import { eventStream, type Authenticator, type UrlTickets } from 'koa-event-stream'
import { topics } from '../events.ts'
import type { StreamGuards } from '../limits.ts'
import type { Services } from '../services.ts'

/** The API's event stream: with a token in the header, or with a ticket for clients that cannot set one. */
export function apiEventsRoutes(
  { hub }: Services,
  bearer: Authenticator,
  tickets: UrlTickets,
  guards: StreamGuards,
): Router {
  const router = new Router()

  router.post('/events/ticket', tickets.issue)

  router.get(
    '/events',
    eventStream({
      hub,
      authenticate: [bearer, tickets],
      ...guards,
      subscribe: (stream, ctx) => {
        const own = topics.user(stream.identity.id)
        return ctx.query.market === undefined ? own : [own, topics.market]
      },
    }),
  )

  return router
}
