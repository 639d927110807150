import Router from '@koa/router'
import type { Authenticator } from 'koa-event-stream'
import { opsRoutes } from 'koa-event-stream/ops'
import type { StreamGuards } from '../limits.ts'
import type { Services } from '../services.ts'

/** The library's own page for operators: all instances, who is connected, and what may be done about it. */
export function operationRoutes(
  { hub, accounts }: Services,
  login: Authenticator,
  { requireSecure }: Pick<StreamGuards, 'requireSecure'>,
): Router {
  const router = new Router()

  router.all(
    '/ops{/*path}',
    opsRoutes({
      hub,
      authenticate: login,
      requireSecure,
      may: ({ id }) => accounts.find(id)?.role === 'operator',
      refuse: (ctx, { status }) => {
        // The page alone: its script reads statuses.
        if (status === 401 && ctx.path.endsWith('/')) ctx.redirect(`/login?next=${encodeURIComponent(ctx.url)}`)
      },
    }),
  )

  return router
}
