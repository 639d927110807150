import Router from '@koa/router'
import type { Context } from 'koa'
import { LOTS } from '../domain/market.ts'
import { MOST_BAGS, type Order } from '../domain/orders.ts'
import { topics } from '../events.ts'
import type { SignedIn } from '../middleware/signed-in.ts'
import type { Services } from '../services.ts'
import { render } from '../views/render.ts'
import { field, wantsJson } from './form.ts'

/** Fills the row that the page's script copies for orders it is told of. */
const BLANK: Order = { id: '', lot: '', bags: 0, total: 0, status: 'received', version: 0, placedAt: 0, updatedAt: 0 }

export function ordersRoutes({ orders, market, hub }: Services): Router<SignedIn> {
  const router = new Router<SignedIn>()

  router.get('/', async ctx => {
    await showOrders(ctx, ctx.state.account.id)
  })

  router.post('/orders', async ctx => {
    const { id } = ctx.state.account
    const lot = field(ctx, 'lot')
    try {
      const order = await orders.place(id, lot, Number(field(ctx, 'bags')), (await market.price(lot)) ?? 0)
      // The page that sent this shows the order itself, and is not told once more.
      ctx.set('Event-ID', await hub.publish(topics.user(id), { event: 'order.created', data: order }))
      if (wantsJson(ctx)) {
        ctx.status = 201
        ctx.body = order
        return
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      if (wantsJson(ctx)) ctx.throw(422, error.message)
      ctx.status = 422
      await showOrders(ctx, id, error.message)
      return
    }
    ctx.status = 303
    ctx.redirect('/')
  })

  async function showOrders(ctx: Context, userId: string, error = ''): Promise<void> {
    const list = await orders.list(userId)
    render(ctx, 'orders', { orders: list, lots: LOTS, mostBags: MOST_BAGS, blank: BLANK, error })
  }

  return router
}
