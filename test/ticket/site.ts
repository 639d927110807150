import type { ExecutionContext } from 'ava'
import Koa, { type Context, type Middleware } from 'koa'
import {
  bearerToken,
  createHub,
  eventStream,
  memoryBroker,
  urlTicket,
  type AuthenticatedOptions,
  type Hub,
  type KeyValueStore,
  type UrlTicketOptions,
  type UrlTickets,
} from 'koa-event-stream'
import { AUDIENCE, claims, forge, ISSUER, SECRET } from '../auth/jwt/keys.ts'
import { listen, type Told } from '../support/hub-events.ts'
import { openHttp2Stream, openStream, serve, serveHttp2, type OpenOptions } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import type { ReceivedStream } from '../support/received-stream.ts'

export interface SiteOptions {
  readonly hub?: Hub
  /** Options of `urlTicket()`. By default bearer tokens get tickets for the audience `events`. */
  readonly tickets?: Partial<UrlTicketOptions>
  /** Options of `eventStream()`. Every stream gets the topic `news`, unless told otherwise. */
  readonly stream?: Partial<AuthenticatedOptions>
  /** Middleware around it all, outermost first. */
  readonly outer?: readonly Middleware[]
  readonly http2?: boolean
}

/** One use of the store, as it was asked. */
export interface Use {
  readonly method: keyof KeyValueStore
  readonly key: string
  readonly value?: string
  readonly ttl?: number
}

export interface Site extends Told {
  readonly hub: Hub
  readonly clock: ManualClock
  readonly tickets: UrlTickets
  readonly url: string
  /** What was asked of the store, where the site made its hub. */
  readonly uses: Use[]
  readonly store: KeyValueStore
  /** What reached the application's `error` event. A test that expects some takes them out; what is left fails it. */
  readonly errors: unknown[]
  /** Signs a token that is good for a minute, unless its claims are changed. */
  token(changes?: Record<string, unknown>): string
  /** Asks for a ticket, as the holder of a good token unless told otherwise. */
  ask(headers?: Record<string, string>, method?: string): Promise<Response>
  /** Gets a ticket. */
  ticket(headers?: Record<string, string>): Promise<string>
  /** Opens a stream with a ticket. */
  open(ticket: string, options?: OpenOptions): Promise<ReceivedStream>
}

/** An application that issues tickets at `/ticket` and takes them at `/events`. */
export async function openSite(t: ExecutionContext, options: SiteOptions = {}): Promise<Site> {
  const clock = new ManualClock()
  const broker = memoryBroker({ clock })
  const uses = record(broker.store)
  const hub = options.hub ?? createHub({ clock, broker })
  const bearer = bearerToken({ algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE, clock, key: SECRET })
  const tickets = urlTicket({ hub, authenticate: bearer, audience: 'events', ...options.tickets })
  const streams = eventStream({ hub, authenticate: tickets, subscribe: () => 'news', ...options.stream })

  const app = new Koa()
  const errors: unknown[] = []
  app.on('error', (error: { expose?: boolean }) => {
    if (error.expose !== true) errors.push(error)
  })
  app.keys = ['a key to sign cookies with']
  for (const middleware of options.outer ?? []) app.use(middleware)
  app.use(async (ctx: Context) => {
    if (ctx.path === '/ticket') await tickets.issue(ctx)
    else if (ctx.path === '/events') await streams(ctx)
  })
  const { url } = options.http2 === true ? await serveHttp2(app, t) : await serve(app, t)
  t.teardown(() => {
    if (errors.length > 0) throw errors[0]
  })

  const token: Site['token'] = changes => forge({ alg: 'HS256' }, claims(clock.now(), changes), SECRET)
  const ask: Site['ask'] = (headers, method = 'POST') =>
    fetch(`${url}/ticket`, { method, headers: headers ?? { authorization: `Bearer ${token()}` } })
  return {
    hub,
    clock,
    tickets,
    url,
    uses,
    store: broker.store,
    ...listen(hub),
    errors,
    token,
    ask,
    ticket: async headers => {
      const answer = await ask(headers && { authorization: `Bearer ${token()}`, ...headers })
      return ((await answer.json()) as { ticket: string }).ticket
    },
    open: (ticket, how) =>
      (options.http2 === true ? openHttp2Stream : openStream)(`${url}/events?ticket=${ticket}`, how),
  }
}

function record(store: KeyValueStore): Use[] {
  const uses: Use[] = []
  const { get, set, take } = store
  store.get = key => {
    uses.push({ method: 'get', key })
    return get.call(store, key)
  }
  store.take = key => {
    uses.push({ method: 'take', key })
    return take.call(store, key)
  }
  store.set = (key, value, ttl) => {
    uses.push({ method: 'set', key, value, ttl })
    return set.call(store, key, value, ttl)
  }
  return uses
}
