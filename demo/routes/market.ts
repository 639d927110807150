import Router from '@koa/router'
import { LOTS } from '../domain/market.ts'
import { topics } from '../events.ts'
import type { SignedIn } from '../middleware/signed-in.ts'
import type { Services } from '../services.ts'
import { render } from '../views/render.ts'

export function marketRoutes({ accounts, hub, market }: Services): Router<SignedIn> {
  const router = new Router<SignedIn>()

  router.get('/market', async ctx => {
    const { members } = await hub.presence(topics.market)
    const present = members.map(({ id }) => accounts.find(id)?.name ?? id)
    render(ctx, 'market', { lots: LOTS, quotes: await market.history(), present })
  })

  return router
}
