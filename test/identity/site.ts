import type { ExecutionContext } from 'ava'
import Koa, { type Context, type Middleware } from 'koa'
import {
  bearerToken,
  createHub,
  memoryBroker,
  requireIdentity,
  sessionCookie,
  type Authenticator,
  type Broker,
  type Hub,
  type RequireIdentityOptions,
  type SessionCookieOptions,
} from 'koa-event-stream'
import session, { type CreateSessionOptions } from 'koa-session'
import { AUDIENCE, claims, forge, ISSUER, SECRET } from '../auth/jwt/keys.ts'
import { CountingStore } from '../auth/session/site.ts'
import { listen, type Told } from '../support/hub-events.ts'
import { openStream, serve, type OpenOptions, type ReceivedStream } from '../support/http.ts'
import { identify, type Data } from '../session/site.ts'
import { ManualClock } from '../support/manual-clock.ts'

export interface SiteOptions {
  readonly Koa?: typeof Koa
  /** Options of `requireIdentity()`. By default bearer tokens and sessions are logins. */
  readonly guard?: Partial<RequireIdentityOptions>
  readonly session?: CreateSessionOptions
  readonly login?: Partial<SessionCookieOptions<Data>>
  readonly broker?: Broker
  /** Middleware around the guard, outermost first. */
  readonly outer?: readonly Middleware[]
}

export interface Site extends Told {
  readonly app: Koa
  readonly hub: Hub
  readonly clock: ManualClock
  readonly broker: Broker
  readonly store: CountingStore
  readonly bearer: Authenticator
  readonly url: string
  readonly errors: unknown[]
  /** Ids of those who got through, in their order. */
  readonly visits: string[]
  token(changes?: Record<string, unknown>): string
  ask(headers?: OpenOptions['headers'], options?: OpenOptions): Promise<ReceivedStream>
  /** Logs somebody in, and answers the cookies. */
  logIn(user: string): Promise<string>
}

/** An application with a login by cookie at `/login?user=…`, a log-out, and everything else behind `requireIdentity()`. */
export async function openSite(t: ExecutionContext, options: SiteOptions = {}): Promise<Site> {
  const clock = new ManualClock()
  const broker = options.broker ?? memoryBroker({ clock })
  const hub = createHub({ clock, broker })
  const store = new CountingStore()
  const bearer = bearerToken({ algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE, clock, key: SECRET })
  const login = sessionCookie({ identify, ...options.login })
  const visits: string[] = []

  const app = new (options.Koa ?? Koa)({ keys: ['a key to sign cookies with'] })
  const errors: unknown[] = []
  app.on('error', error => errors.push(error))
  for (const middleware of options.outer ?? []) app.use(middleware)
  app.use(session({ store, ...options.session }, app))
  app.use(async (ctx: Context, next) => {
    if (ctx.path === '/login') ctx.session.userId = ctx.query.user
    else if (ctx.path === '/logout') ctx.session = null
    else return next()
    ctx.body = 'done'
  })
  app.use(requireIdentity({ hub, authenticate: [bearer, login], ...options.guard })).use(ctx => {
    visits.push(ctx.state.identity.id)
    ctx.body = `hello ${ctx.state.identity.id}`
  })
  const { url } = await serve(app, t)
  t.teardown(() => hub.close())

  const ask: Site['ask'] = (headers = {}, { method = 'GET', ...rest } = {}) =>
    openStream(url, { ...rest, method, headers: { accept: 'text/html', ...headers } })
  return {
    app,
    hub,
    clock,
    broker,
    store,
    bearer,
    url,
    ...listen(hub),
    errors,
    visits,
    token: changes => forge({ alg: 'HS256' }, claims(clock.now(), changes), SECRET),
    ask,
    async logIn(user) {
      const answer = await fetch(`${url}/login?user=${user}`)
      return answer.headers
        .getSetCookie()
        .map(line => line.split(';', 1)[0])
        .join('; ')
    },
  }
}
