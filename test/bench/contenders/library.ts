import { createServer } from 'node:http'
import type { Server } from 'node:net'
import Koa, { type Middleware } from 'koa'
import { createHub, eventStream, type Authenticator, type Broker, type Hub, type HubOptions } from 'koa-event-stream'
import { topicsOf, type Application, type ApplicationOptions } from '../server/application.ts'

interface Variant {
  readonly broker?: Broker
  /** By default the streams are public. */
  readonly authenticate?: Authenticator
  /** What the application has before the streams. */
  readonly use?: (app: Koa, hub: Hub) => Middleware
  readonly compress?: 'gzip'
  /** What serves it. Default HTTP/1.1 without TLS. */
  readonly serve?: (app: Koa) => Server
}

/** All clients come from one address. */
export const NO_LIMITS = { address: 1_000_000, process: 1_000_000 }

function inPlainHttp(app: Koa): Server {
  return createServer(app.callback())
}

/** This library, as an application uses it. */
export function library(
  { heartbeat }: ApplicationOptions,
  { broker, authenticate, use, compress, serve = inPlainHttp }: Variant = {},
): Application {
  const options: HubOptions = broker === undefined ? {} : { broker }
  const hub = createHub(options)
  const app = new Koa()
  if (use !== undefined) app.use(use(app, hub))
  const common = { hub, limits: NO_LIMITS, heartbeat: heartbeat ?? (false as const), ...(compress && { compress }) }
  app.use(
    authenticate === undefined
      ? eventStream({ ...common, authenticate: false, subscribe: (_, { path }) => topicsOf(path) })
      : eventStream({ ...common, authenticate, subscribe: (_, { path }) => topicsOf(path) }),
  )
  const server = serve(app)
  return {
    server,
    publish: (topic, data) => hub.publish(topic, { data }),
    shutdown: within => hub.shutdown(server, { within }),
  }
}
