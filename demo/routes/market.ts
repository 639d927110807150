import Router from '@koa/router'
import { LOTS } from '../domain/market.ts'
import type { SignedIn } from '../middleware/signed-in.ts'
import type { Services } from '../services.ts'
import { render } from '../views/render.ts'

export function marketRoutes({ market }: Services): Router<SignedIn> {
  const router = new Router<SignedIn>()

  router.get('/market', async ctx => {
    render(ctx, 'market', { lots: LOTS, quotes: await market.history() })
  })

  return router
}
