import cors from '@koa/cors'
import Router from '@koa/router'
import Koa from 'koa'
import { bearerToken, eventStream } from 'koa-event-stream'
import type { Order } from '../domain/orders.ts'
import { topics } from '../events.ts'
import type { LoginGuard } from '../login-guard.ts'
import { bearerOnly, type Bearer } from '../middleware/bearer-only.ts'
import { jsonErrors } from '../middleware/json-errors.ts'
import { readBody } from '../middleware/read-body.ts'
import type { Services } from '../services.ts'
import type { TokenIssuer } from '../tokens.ts'
import { field } from './form.ts'

/**
 * The JSON API: an application of its own, mounted under `/api`, with tokens in place of cookies. Since no browser
 * sends a token of its own accord, pages of the listed origins may call it, and need no protection from each other.
 */
export function createApi(
  services: Services,
  { logins, issuer, origins }: { logins: LoginGuard; issuer: TokenIssuer; origins: readonly string[] },
): Koa {
  const bearer = bearerToken(issuer.verification)
  const api = new Koa()
  api.use(
    cors({
      origin: ctx => origins.find(origin => origin === ctx.get('Origin')) ?? '',
      allowHeaders: ['Authorization', 'Content-Type', 'Last-Event-ID'],
      maxAge: 600,
    }),
  )
  api.use(jsonErrors)
  api.use(readBody('json'))

  const open = new Router()
  open.post('/token', async ctx => {
    const attempt = await logins.attempt(field(ctx, 'username'), field(ctx, 'password'), ctx.ip)
    if (attempt.outcome === 'wait') return ctx.throw(429, 'too many attempts, wait a minute')
    if (attempt.outcome === 'wrong') return ctx.throw(401, 'user name and password do not match')
    ctx.set('Cache-Control', 'no-store')
    ctx.body = { access_token: issuer.issue(attempt.account.id), token_type: 'Bearer', expires_in: issuer.lifetime }
  })
  open.get(
    '/events',
    eventStream({
      hub: services.hub,
      authenticate: bearer,
      subscribe: (stream, ctx) => {
        const own = topics.user(stream.identity.id)
        return ctx.query.market === undefined ? own : [own, topics.market]
      },
    }),
  )
  api.use(open.routes())
  api.use(tokenRoutes(services, bearerOnly(bearer, services.hub)).routes())
  return api
}

function tokenRoutes({ orders, market, hub }: Services, authenticate: Koa.Middleware<Bearer>): Router<Bearer> {
  const router = new Router<Bearer>()
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

  // The API's log-out: the token is worth nothing from now on, and streams opened with it are closed.
  router.delete('/token', async ctx => {
    const { token, expiresAt } = ctx.state.identity
    if (token !== undefined && expiresAt !== undefined) await hub.revoke(token, expiresAt)
    ctx.status = 204
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
