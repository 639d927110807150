import Router from '@koa/router'
import Koa from 'koa'
import mount from 'koa-mount'
import session from 'koa-session'
import { createHub, sessionCookie, watchSessions, type Clock, type Hub } from 'koa-event-stream'
import type { Config } from './config.ts'
import { Accounts } from './domain/accounts.ts'
import { answer as composedAnswer, type Answer } from './domain/assistant.ts'
import type { Events } from './events.ts'
import { createLimits, type StreamGuards } from './limits.ts'
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
import { operationRoutes } from './routes/ops.ts'
import { ordersRoutes } from './routes/orders.ts'
import { createServices, type Services } from './services.ts'
import type { SessionData } from './sessions/session.ts'
import { openStorage } from './storage/storage.ts'
import type { Shelves } from './storage/shelf.ts'
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

/** What a test has in place of the site's own. */
export interface DemoParts {
  /** What tokens and streams expire by; the system's unless told otherwise. */
  readonly clock?: Clock
  readonly accounts?: Accounts
  readonly answer?: Answer
}

/** The whole site, not listening yet. Nothing in it moves by itself: `simulation.ts` does that. */
export function createApp(config: Omit<Config, 'port'>, parts: DemoParts = {}): Demo {
  const { clock, accounts = new Accounts(), answer = composedAnswer } = parts
  const { https } = config
  const storage = openStorage(config.redisUrl)
  const { shelves } = storage
  const hub = createHub<Events>({ broker: storage.broker, ...(clock && { clock }) })
  const services = createServices(hub, shelves, accounts)
  const limits = createLimits(storage)
  const guards: StreamGuards = { limits: limits.streams, requireSecure: https }
  const guard = createLoginGuard(services.accounts, limits.guesses)
  const issuer = createTokenIssuer(config.tokenKey)
  const logins = new Logins(shelves, hub, issuer, () => clock?.now() ?? Date.now())
  const login = sessionCookie<SessionData>({ identify: ({ userId }) => userId && { id: userId } })

  // Of the addresses in X-Forwarded-For only the last one is the proxy's word; the others are the client's own.
  const app = new Koa({ keys: [...config.sessionKeys], proxy: config.behindProxy, maxIpsCount: 1 })
  app.use(securityHeaders(config))
  app.use(staticFiles)
  app.use(mount('/api', createApi(services, { guard, issuer, logins, guards, origins: config.apiOrigins, clock })))
  app.use(errorPage)
  app.use(
    session(
      {
        key: 'quayside',
        prefix: 'quayside:session:',
        store: watchSessions(storage.sessions, hub),
        maxAge: SESSION_AGE,
        secure: https,
        sameSite: 'lax',
      },
      app,
    ),
  )
  app.use(visitor(services))
  app.use(sameOrigin)
  app.use(readBody('form', 'json'))
  app.use(loginRoutes(services, guard).routes())
  app.use(eventsRoutes(services, login, guards).routes())
  app.use(operationRoutes(services, login, guards).routes())

  const pages = new Router()
  pages.use(signedIn)
  for (const routes of [ordersRoutes, marketRoutes, notificationsRoutes, connectionRoutes]) {
    pages.use(routes(services).routes())
  }
  pages.use(assistantRoutes(services, login, guards, answer).routes())
  app.use(pages.routes())

  return {
    app,
    hub,
    services,
    shelves,
    async close() {
      await hub.close()
      storage.close()
    },
  }
}
