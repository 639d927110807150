import Router from '@koa/router'
import Koa from 'koa'
import mount from 'koa-mount'
import session from 'koa-session'
import { createHub, sessionCookie, watchSessions, type Clock, type Hub } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import type { Config } from './config.ts'
import type { Events } from './events.ts'
import { openLimits } from './limits.ts'
import { createLoginGuard } from './login-guard.ts'
import { errorPage } from './middleware/error-page.ts'
import { readBody } from './middleware/read-body.ts'
import { sameOrigin } from './middleware/same-origin.ts'
import { securityHeaders } from './middleware/security-headers.ts'
import { signedIn } from './middleware/signed-in.ts'
import { staticFiles } from './middleware/static-files.ts'
import { visitor } from './middleware/visitor.ts'
import { createApi } from './routes/api.ts'
import { assistantRoutes } from './routes/assistant.ts'
import { connectionRoutes } from './routes/connection.ts'
import { eventsRoutes } from './routes/events.ts'
import { loginRoutes } from './routes/login.ts'
import { marketRoutes } from './routes/market.ts'
import { notificationsRoutes } from './routes/notifications.ts'
import { ordersRoutes } from './routes/orders.ts'
import { createServices, type Services } from './services.ts'
import { openSessionStore } from './sessions/open-store.ts'
import type { SessionData } from './sessions/session.ts'
import { openShelves } from './state/open-shelves.ts'
import type { Shelves } from './state/shelf.ts'
import { createTokenIssuer } from './tokens/issuer.ts'
import { Logins } from './tokens/logins.ts'

/** A working day, in milliseconds: whoever logs in at breakfast does so once. */
const SESSION_AGE = 8 * 60 * 60 * 1_000

export interface Demo {
  readonly app: Koa
  readonly hub: Hub<Events>
  readonly services: Services
  readonly shelves: Shelves
  /** Closes the hub and what sessions and state are kept in. */
  close(): Promise<void>
}

/**
 * The whole site, not listening yet. Nothing in it moves by itself: `simulation.ts` does that.
 *
 * @param clock what tokens and streams expire by, for tests; the system's unless told otherwise
 */
export function createApp(config: Omit<Config, 'port'>, clock?: Clock): Demo {
  const { redisUrl } = config
  const hub = createHub<Events>({
    ...(clock && { clock }),
    ...(redisUrl !== undefined && { broker: redisBroker({ client: redisUrl, name: 'quayside' }) }),
  })
  const shelves = openShelves(redisUrl)
  const services = createServices(hub, shelves)
  const limits = openLimits(redisUrl)
  const guard = createLoginGuard(services.accounts, limits.failures)
  const issuer = createTokenIssuer(config.tokenKey)
  const logins = new Logins(shelves, hub, issuer, () => clock?.now() ?? Date.now())
  const sessions = openSessionStore(redisUrl)
  const login = sessionCookie<SessionData>({ identify: ({ userId }) => userId && { id: userId } })

  // Of the addresses in X-Forwarded-For only the last one is the proxy's word; the others are the client's own.
  const app = new Koa({ keys: [...config.sessionKeys], proxy: config.https, maxIpsCount: 1 })
  app.use(securityHeaders(config))
  app.use(staticFiles)
  app.use(
    mount(
      '/api',
      createApi(services, { guard, issuer, logins, limits: limits.streams, origins: config.apiOrigins, clock }),
    ),
  )
  app.use(errorPage)
  app.use(
    session(
      {
        key: 'quayside',
        prefix: 'quayside:session:',
        store: watchSessions(sessions.store, hub),
        maxAge: SESSION_AGE,
        sameSite: 'lax',
      },
      app,
    ),
  )
  app.use(visitor(services))
  app.use(sameOrigin)
  app.use(readBody('form', 'json'))
  app.use(loginRoutes(services, guard).routes())
  app.use(eventsRoutes(services, login, limits.streams).routes())

  const pages = new Router()
  pages.use(signedIn)
  for (const routes of [ordersRoutes, marketRoutes, notificationsRoutes, connectionRoutes]) {
    pages.use(routes(services).routes())
  }
  pages.use(assistantRoutes(services, login, limits.streams).routes())
  app.use(pages.routes())

  return {
    app,
    hub,
    services,
    shelves,
    async close() {
      await hub.close()
      sessions.close()
      shelves.close()
      limits.close()
    },
  }
}
