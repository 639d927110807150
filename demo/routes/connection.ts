import Router from '@koa/router'
import type { SignedIn } from '../middleware/signed-in.ts'
import type { Services } from '../services.ts'
import { sessionOf } from '../sessions/session.ts'
import { render } from '../views/render.ts'

export function connectionRoutes({ hub }: Services): Router<SignedIn> {
  const router = new Router<SignedIn>()

  router.get('/connection', ctx => {
    render(ctx, 'connection')
  })

  // Ends this login's streams without ending the login: browsers come back by themselves and resume.
  router.post('/connection/cut', async ctx => {
    await hub.disconnect({ session: sessionOf(ctx).externalKey })
    ctx.status = 204
  })

  return router
}
