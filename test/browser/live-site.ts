import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import { bearerToken, createHub, memoryBroker, urlTicket } from 'koa-event-stream'
import { AUDIENCE, claims, forge, ISSUER, seconds, SECRET } from '../auth/jwt/keys.ts'
import { openFaultyProxy, PASS, type Fault } from '../client/faulty-proxy.ts'
import { ROOT } from '../support/root.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import { clientFiles } from './client-files.ts'
import { ObservedList } from './observed-list.ts'
import type { FullPage } from './page.ts'
import { openSite, type StreamOptions } from './site.ts'

const PAGE_SCRIPT = readFileSync(join(ROOT, 'test/browser/live-page.js'), 'utf8')

/** Seconds for which the page's token is good: what it is used for outlives it, or a ticket is what matters. */
const TOKEN_LIFETIME = { none: 0, ticket: 3_600, token: 3 }

export type Transport = 'eventsource' | 'fetch'

export interface LiveOptions {
  /** Default both: two streams of one page. */
  readonly transports?: readonly Transport[]
  /** What the page identifies itself with. Default nothing. */
  readonly credentials?: 'none' | 'ticket' | 'token'
  readonly stream?: StreamOptions
  /** How many events the history holds. */
  readonly history?: number
  /** What the proxy on the way does to requests for the stream, at first. */
  readonly fault?: Fault
}

export interface LiveSite {
  readonly page: FullPage
  readonly url: string
  readonly cable: TcpProxy
  /** What the proxy on the way does to requests for the stream from now on. */
  fault: Fault
  /** What each stream of the page has told. */
  readonly lists: ReadonlyMap<Transport, ObservedList>
  /** Opens the page anew. */
  reload(): Promise<void>
  /** Publishes the next number, and answers it. */
  publish(): Promise<number>
  /** Waits until all lists have that number, and answers since when each has, of `performance.now()`. */
  shown(number: number): Promise<number[]>
}

/** A site whose page has the client read, behind a proxy that can be told to fail, behind a cable that can be pulled. */
export async function openLiveSite(
  t: ExecutionContext,
  openPage: (url: string) => Promise<FullPage>,
  options: LiveOptions = {},
): Promise<LiveSite> {
  const { transports = ['eventsource', 'fetch'], credentials = 'none', history = 1_000 } = options
  const hub = createHub({ broker: memoryBroker({ history: { count: history } }) })
  const bearer = bearerToken({ key: SECRET, algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE })
  const tickets = urlTicket({ hub, authenticate: bearer, audience: 'events' })
  const authenticate = { none: false, ticket: tickets, token: bearer } as const
  const numbers: number[] = []
  let cursor: string | undefined

  const routes: Record<string, Middleware> = {
    '/live.js': ctx => {
      ctx.type = 'text/javascript'
      ctx.body = PAGE_SCRIPT
    },
    '/live': ctx => {
      ctx.type = 'html'
      ctx.body =
        '<!doctype html><title>live</title><link rel="icon" href="data:,"><script type="module" src="/live.js"></script>'
    },
    '/state': ctx => void (ctx.body = { numbers: [...numbers], cursor }),
    '/token': ctx =>
      void (ctx.body = forge(
        { alg: 'HS256' },
        claims(Date.now(), { exp: seconds(Date.now()) + TOKEN_LIFETIME[credentials] }),
        SECRET,
      )),
    '/ticket': ctx => tickets.issue(ctx),
  }
  const app = new Koa()
  app.use(clientFiles())
  app.use((ctx, next) => {
    // Else the browser keeps idle connections, and asks for the stream by one of them that died together with it.
    if (ctx.path !== '/events') ctx.set('Connection', 'close')
    return (routes[ctx.path] ?? next)(ctx, next)
  })
  const { url, cable } = await openSite(t, {
    app,
    hub,
    stream: { authenticate: authenticate[credentials], ...options.stream },
  })
  let { fault = PASS } = options
  const isStream = (asked: string) => asked.startsWith('/events')
  const proxy = await openFaultyProxy(cable.target, asked => (isStream(asked) ? fault : PASS), t)
  cable.target = Number(new URL(proxy.url).port)

  const page = await openPage(url)
  const lists = new Map(transports.map(transport => [transport, new ObservedList()]))
  for (const [transport, { observe }] of lists) await page.expose(`tell_${transport}`, observe)
  const query = new URLSearchParams({ credentials })
  for (const transport of transports) query.append('transport', transport)
  const publish = async () => {
    const number = numbers.length + 1
    cursor = await hub.publish('news', { event: 'tick', data: number })
    numbers.push(number)
    return number
  }
  const shown = (number: number) => Promise.all([...lists.values()].map(list => list.shows(number)))
  const reload = async () => {
    await page.goto(`${url}/live?${query.toString()}`)
  }
  await reload()
  return {
    page,
    url,
    cable,
    get fault() {
      return fault
    },
    set fault(next) {
      fault = next
    },
    lists,
    reload,
    publish,
    shown,
  }
}
