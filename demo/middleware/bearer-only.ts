import type { Context, Middleware } from 'koa'
import { AuthenticationError, type Authenticator, type Hub, type Identity } from 'koa-event-stream'
import type { Events } from '../events.ts'

/** `ctx.state` of an API route. */
export interface Bearer {
  identity: Identity
}

/** Lets an ordinary route ask for the same tokens as the event stream beside it (RFC 6750). */
export function bearerOnly(bearer: Authenticator, hub: Hub<Events>): Middleware<Bearer> {
  return async (ctx, next) => {
    const identity = await identify(ctx, bearer)
    if (identity.token !== undefined && (await hub.isRevoked(identity.token))) {
      ctx.throw(401, { headers: { 'WWW-Authenticate': `${bearer.challenge}, error="invalid_token"` } })
    }
    ctx.state.identity = identity
    await next()
  }
}

async function identify(ctx: Context, bearer: Authenticator): Promise<Identity> {
  try {
    const identity = await bearer.authenticate(ctx)
    if (identity) return identity
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error
    ctx.throw(error.status, { headers: { 'WWW-Authenticate': error.challenge ?? bearer.challenge } })
  }
  ctx.throw(401, { headers: { 'WWW-Authenticate': bearer.challenge } })
}
