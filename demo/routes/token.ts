import Router from '@koa/router'
import type { Context } from 'koa'
import type { Identity, IdentityMiddleware } from 'koa-event-stream'
import type { LoginGuard } from '../login-guard.ts'
import { ACCESS_LIFETIME } from '../tokens/issuer.ts'
import type { Logins, TokenPair } from '../tokens/logins.ts'
import { field } from './form.ts'

/** `ctx.state` of a route that wants a token. */
export interface Authenticated {
  identity: Identity
}

/** Refuses whoever has none. */
export type BearerGuard = IdentityMiddleware<Identity>

/** The API's login, refresh (RFC 6749, section 6) and log-out. */
export function tokenRoutes(guard: LoginGuard, logins: Logins, authenticate: BearerGuard): Router<Authenticated> {
  const router = new Router<Authenticated>()

  router.post('/token', async ctx => {
    ctx.set('Cache-Control', 'no-store')
    const { accessToken, refreshToken } = await grant(ctx)
    ctx.body = {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: ACCESS_LIFETIME / 1_000,
      refresh_token: refreshToken,
    }
  })

  router.delete('/token', authenticate, async ctx => {
    const { claims } = ctx.state.identity
    if (typeof claims?.sid !== 'string') return ctx.throw(401)
    await logins.end(claims.sid)
    ctx.status = 204
  })

  function grant(ctx: Context): Promise<TokenPair> {
    const type = field(ctx, 'grant_type')
    if (type === 'refresh_token') return refresh(ctx)
    if (type === '' || type === 'password') return logIn(ctx)
    return ctx.throw(400, 'unsupported_grant_type')
  }

  async function logIn(ctx: Context): Promise<TokenPair> {
    const attempt = await guard.attempt(field(ctx, 'username'), field(ctx, 'password'), ctx.ip)
    if (attempt.outcome === 'wait') return ctx.throw(429, 'too many attempts, wait a minute')
    if (attempt.outcome === 'wrong') return ctx.throw(401, 'user name and password do not match')
    return logins.begin(attempt.account.id)
  }

  async function refresh(ctx: Context): Promise<TokenPair> {
    const token = field(ctx, 'refresh_token')
    if (token === '') return ctx.throw(400, 'invalid_request')
    return (await logins.refresh(token)) ?? ctx.throw(400, 'invalid_grant')
  }

  return router
}
