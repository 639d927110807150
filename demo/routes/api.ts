import cors from '@koa/cors'
import Router from '@koa/router'
import Koa from 'koa'
import { bearerToken, requireIdentity, urlTicket, type Clock } from 'koa-event-stream'
import type { Order } from '../domain/orders.ts'
import { topics } from '../events.ts'
import type { StreamGuards } from '../limits.ts'
import type { LoginGuard } from '../login-guard.ts'
import { jsonErrors, jsonRefusal } from '../middleware/json-errors.ts'
import { readBody } from '../middleware/read-body.ts'
import type { Services } from '../services.ts'
import type { TokenIssuer } from '../tokens/issuer.ts'
import type { Logins } from '../tokens/logins.ts'
import { apiEventsRoutes } from './api-events.ts'
import { field } from './form.ts'
import { tokenRoutes, type Authenticated, type BearerGuard } from './token.ts'

/** What the API works with, besides the shop. */
export interface ApiParts {
  readonly guard: LoginGuard
  readonly issuer: TokenIssuer
  readonly logins: Logins
  readonly guards: StreamGuards
  readonly origins: readonly string[]
  readonly clock?: Clock | undefined
}

/**
 * The JSON API: an application of its own, mounted under `/api`, with tokens in place of cookies. Since no browser
 * sends a token of its own accord, pages of the listed origins may call it, and need no protection from each other.
 */
export function createApi(services: Services, { guard, issuer, logins, guards, origins, clock }: ApiParts): Koa {
  const { hub } = services
  const { requireSecure } = guards
  const bearer = bearerToken({ ...issuer.verification, ...(clock && { clock }) })
  const tickets = urlTicket({ hub, authenticate: bearer, audience: 'api', requireSecure })
  const authenticate = requireIdentity({ hub, authenticate: bearer, requireSecure, refuse: jsonRefusal })

  const api = new Koa()
  // First of all, so that nothing comes to see a ticket.
  api.use(tickets.hide)
  api.use(
    cors({
      origin: ctx => origins.find(origin => origin === ctx.get('Origin')) ?? '',
      allowHeaders: ['Authorization', 'Content-Type', 'Last-Event-ID'],
      maxAge: 600,
    }),
  )
  api.use(jsonErrors)
  api.use(readBody('json'))
  api.use(tokenRoutes(guard, logins, authenticate).routes())
  api.use(apiEventsRoutes(services, bearer, tickets, guards).routes())
  api.use(orderRoutes(services, authenticate).routes())
  return api
}

function orderRoutes({ orders, market, hub }: Services, authenticate: BearerGuard): Router<Authenticated> {
  const router = new Router<Authenticated>()
  router.use(authenticate)

  router.get('/orders', async ctx => {
    ctx.body = await orders.list(ctx.state.identity.id)
  })

  router.post('/orders', async ctx => {
    const { id } = ctx.state.identity
    const order = await place(id, field(ctx, 'lot'), Number(field(ctx, 'bags')))
    if (order instanceof RangeError) return ctx.throw(422, order.message)
    await hub.publish(topics.user(id), { event: 'order.created', data: order })
    ctx.status = 201
    ctx.body = order
  })

  async function place(userId: string, lot: string, bags: number): Promise<Order | RangeError> {
    try {
      return await orders.place(userId, lot, bags, (await market.price(lot)) ?? 0)
    } catch (error) {
      if (error instanceof RangeError) return error
      throw error
    }
  }

  return router
}
