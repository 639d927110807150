import redactor from '@pinojs/redact'
import type Koa from 'koa'
import type { Context } from 'koa'
import {
  bearerToken,
  createHub,
  eventStream,
  memoryBroker,
  queryToken,
  sessionCookie,
  urlTicket,
  watchSessions,
  type AuthenticatedOptions,
  type Broker,
  type Clock,
  type EventStreamMiddleware,
  type Hub,
} from 'koa-event-stream'
import session from 'koa-session'
import { AUDIENCE, ISSUER, SECRET } from '../auth/jwt/keys.ts'
import type { Random } from '../support/random.ts'
import { resolve } from './resolver.ts'
import { shakyLimiter, ShakyStore } from './shaky.ts'

/** Where streams are to be had: each mount has other rules. */
export const STREAM_PATHS = ['/events', '/drop', '/conflate', '/secure', '/public', '/tight']

export const LISTED_ORIGIN = 'https://app.example.com'

export interface Application {
  readonly hub: Hub
  readonly broker: Broker
  readonly store: ShakyStore
  /** The store as koa-session has it: destroying a session there closes its streams. */
  readonly watched: ShakyStore
}

/** Puts everything the package has on a Koa application: every way to log in, every limit, every policy. */
export function furnish(app: Koa, clock: Clock, random: Random): Application {
  const broker = memoryBroker({ clock, history: { count: 100, bytes: 65_536, age: 5_000 } })
  const hub = createHub({
    broker,
    clock,
    maxEventBytes: 8_192,
    redact: redactor({ paths: ['*.password'], serialize: false }),
  })
  const store = new ShakyStore(random)
  const watched = watchSessions(store, hub)
  const routes = routesOf(hub, clock, random)
  app.keys = ['a key to sign cookies with']
  app.proxy = true
  app.use(session({ store: watched, key: 'sid', rolling: true }, app))
  app.use(async (ctx: Context) => {
    const route = routes.get(ctx.path)
    ctx.state.isStream = STREAM_PATHS.includes(ctx.path)
    if (route !== undefined) await route(ctx)
  })
  return { hub, broker, store, watched }
}

function routesOf(hub: Hub, clock: Clock, random: Random): Map<string, EventStreamMiddleware> {
  const tokens = { algorithms: ['HS256' as const], issuer: ISSUER, audience: AUDIENCE, key: SECRET, clock }
  const cookie = sessionCookie<{ user?: string }>({
    identify: ({ user }) => user !== undefined && { id: user },
    revalidate: 20,
    grace: 40,
    clock,
  })
  const bearer = bearerToken(tokens)
  const tickets = urlTicket({
    hub,
    authenticate: [bearer, cookie],
    audience: 'events',
    origins: [LISTED_ORIGIN],
    maxAge: 1_000,
  })
  const common: AuthenticatedOptions = {
    hub,
    authenticate: [tickets, queryToken(tokens), bearer, cookie],
    subscribe: resolve,
    heartbeat: 1_000,
    origins: [LISTED_ORIGIN],
    limits: { identity: 2, address: 10, timeout: 200 },
  }
  const small = { bytes: 8_192, stall: 1_000 }
  return new Map<string, EventStreamMiddleware>([
    ['/events', eventStream({ ...common, maxAge: 1_000, buffer: { bytes: 16_384 } })],
    ['/drop', eventStream({ ...common, overload: 'reject', buffer: { ...small, policy: 'drop' } })],
    [
      '/conflate',
      eventStream({
        ...common,
        buffer: { ...small, policy: 'conflate' },
        limits: { ...common.limits, shared: { identity: 1 } },
      }),
    ],
    ['/secure', eventStream({ ...common, requireSecure: true, heartbeat: { interval: 1_000, event: 'beat' } })],
    [
      '/public',
      eventStream({
        hub,
        authenticate: false,
        subscribe: resolve,
        heartbeat: false,
        limits: { process: 6, timeout: 100 },
      }),
    ],
    [
      '/tight',
      eventStream({
        ...common,
        overload: 'reject',
        limits: {
          identity: 1,
          address: 2,
          process: 4,
          topics: 20,
          timeout: 200,
          rate: { identity: shakyLimiter(random), address: shakyLimiter(random) },
        },
      }),
    ],
    ['/ticket', tickets.issue],
    ['/login', logIn],
    ['/logout', logOut],
    ['/regenerate', regenerate],
    ['/page', showPage],
  ])
}

async function logIn(ctx: Context): Promise<void> {
  ctx.session.user = String(ctx.query.user)
  ctx.body = 'done'
}

async function logOut(ctx: Context): Promise<void> {
  ctx.session = null
  ctx.body = 'done'
}

async function regenerate(ctx: Context): Promise<void> {
  await ctx.session.regenerate()
  ctx.body = 'done'
}

async function showPage(ctx: Context): Promise<void> {
  ctx.body = { user: ctx.session.user ?? null }
}
