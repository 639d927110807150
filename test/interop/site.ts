import type { ExecutionContext } from 'ava'
import type Koa from 'koa'
import type { Middleware } from 'koa'
import { createHub, eventStream, type Hub } from 'koa-event-stream'
import { byName } from '../koa/endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { serve } from '../support/http.ts'
import { Visitor } from '../support/visitor.ts'
import type { Arrangement, Door, Neighbour, Site } from './neighbour.ts'

// A stream must not be compressed, nor answered from a cache, whatever its client would take.
const GREEDY = { 'accept-encoding': 'gzip, br', 'if-none-match': '"an-etag"' }

/** Longer than what compressors leave alone. */
const page: Middleware = ctx => {
  if (ctx.path === '/page') ctx.body = 'a page '.repeat(1_000)
}

/** Builds a site with a neighbour, logs its visitor in, and opens the stream. */
export async function openSite(
  t: ExecutionContext,
  neighbour: Neighbour,
  version: typeof Koa,
): Promise<{ site: Site; proves: Arrangement['proves'] }> {
  const hub = createHub()
  t.teardown(() => hub.close())
  const arrangement = await neighbour.arrange({ t, Koa: version, hub })
  const { prefix = '', headers = { 'x-user': 'ann' }, login } = arrangement
  const errors: unknown[] = []
  const identities: (string | undefined)[] = []
  hub.on('open', ({ stream }) => identities.push(stream.identity?.id))
  const app = assemble(arrangement, version, hub, errors)
  const door: Door = (await arrangement.serve?.(app)) ?? (await serve(app, t))
  const visitor = new Visitor(door.url)
  const enter = door.open ?? visitor.openStream.bind(visitor)
  if (login !== undefined) await visitor.visit(prefix + login)
  const open: Site['open'] = more => enter(`${prefix}/events`, { ...GREEDY, ...headers, ...more })
  const site: Site = {
    t,
    hub,
    errors,
    identities,
    open,
    first: await open(),
    get: (path, more) => fetch(door.url + path, { headers: { cookie: visitor.cookie, ...headers, ...more } }),
    isEmpty: () =>
      eventually(
        () => hub.stats().streams === 0,
        () => `Something is left: ${JSON.stringify(hub.stats())}`,
      ),
  }
  return { site, proves: arrangement.proves }
}

function assemble(arrangement: Arrangement, version: typeof Koa, hub: Hub, errors: unknown[]): Koa {
  const { app = new version(), before = [], after = [], authenticate = byName, inside } = arrangement
  const stream = eventStream({ hub, authenticate, subscribe: () => 'news' })
  const whole = [...before, at('/events', stream), ...after, page]
  for (const middleware of whole) app.use(middleware)
  const outermost = inside?.(app) ?? app
  for (const one of new Set([app, outermost])) {
    one.on('error', (error: { expose?: boolean }) => {
      // As Koa's own report has it: what the client is told of is no failure of the application.
      if (error.expose !== true) errors.push(error)
    })
  }
  return outermost
}

function at(path: string, middleware: Middleware): Middleware {
  return (ctx, next) => (ctx.path === path ? middleware(ctx, next) : next())
}
