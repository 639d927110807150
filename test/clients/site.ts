import cors from '@koa/cors'
import Koa from 'koa'
import { bearerToken, createHub, eventStream } from 'koa-event-stream'
import { serve } from '../support/http.ts'
import { Progress } from '../support/progress.ts'
import type { Scope } from '../support/scope.ts'

const RETRY = 1_000

/** A page that asks for nothing. */
export const BLANK = '<!doctype html><title>blank</title><link rel="icon" href="data:,">'

/** A request that has come for a stream. */
export interface Asked {
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** What was answered. */
  status: number
}

/** What a client is met with: the first stream is ended in order, a source comes to its end, or there is no stream at all. */
export type Welcome = 'ended' | 'source' | '503' | '401'

/** A server whose streams do not last. */
export interface Site {
  /** Of a page of the same origin. */
  readonly page: string
  url(welcome: Welcome): string
  /** Waits for the `count`-th request with this welcome; `undefined` if the client gives up before. */
  request(welcome: Welcome, count: number): Promise<Asked | undefined>
  /** The client has given up the stream of this URL. */
  gaveUp(url: string): void
  /** The names that pages of another origin have asked to send, besides those that need no leave. */
  readonly headersAsked: ReadonlySet<string>
}

export async function openSite(scope: Scope): Promise<Site> {
  const hub = createHub()
  const full = createHub()
  // All refusals are on purpose.
  for (const one of [hub, full]) one.on('refuse', () => undefined)
  const app = new Koa()
  const asked: Asked[] = []
  const gone = new Set<string>()
  const headersAsked = new Set<string>()
  const progress = new Progress()
  scope.teardown(async () => {
    await Promise.all([hub.close(), full.close()])
  })

  app.use((ctx, next) => {
    for (const name of ctx.get('access-control-request-headers').split(',')) if (name !== '') headersAsked.add(name)
    return next()
  })
  app.use(cors({ origin: ctx => ctx.get('origin'), credentials: true }))
  app.use((ctx, next) => {
    if (ctx.path !== '/') return next()
    ctx.body = BLANK
  })
  app.use(async (ctx, next) => {
    const request: Asked = { path: ctx.url, headers: ctx.headers, status: 0 }
    await next()
    request.status = ctx.status
    asked.push(request)
    progress.announce()
  })
  const mounts: Readonly<Record<Welcome, ReturnType<typeof eventStream>>> = {
    ended: eventStream({
      hub,
      authenticate: false,
      retry: RETRY,
      subscribe: stream => {
        // A stream that has got its place in the log, and an event.
        setImmediate(() => {
          void hub.publish('news', { event: 'tick', data: {} }).then(() => stream.close())
        })
        return 'news'
      },
    }),
    source: eventStream({
      hub,
      authenticate: false,
      retry: RETRY,
      subscribe: async function* () {
        yield await Promise.resolve({ data: { n: 1 } })
      },
    }),
    '503': eventStream({
      hub: full,
      authenticate: false,
      retry: RETRY,
      overload: 'reject',
      limits: { process: 1 },
      subscribe: () => 'news',
    }),
    '401': eventStream({
      hub,
      authenticate: bearerToken({
        key: 'a secret of thirty-two bytes or so',
        algorithms: ['HS256'],
        issuer: 'x',
        audience: 'x',
      }),

      subscribe: () => 'news',
    }),
  }
  app.use(ctx => mounts[ctx.path.slice(1) as Welcome](ctx))
  const { url } = await serve(app, scope)
  // The one place that there is.
  const holder = new AbortController()
  scope.teardown(async () => holder.abort())
  await fetch(`${url}/503`, { headers: { accept: 'text/event-stream' }, signal: holder.signal })
  asked.length = 0

  return {
    page: `${url}/`,
    headersAsked,
    url: welcome => `${url}/${welcome}`,
    gaveUp(at) {
      gone.add(at)
      progress.announce()
    },
    request: (welcome, count) =>
      progress
        .until(
          () => {
            const found = asked.filter(({ path }) => path.split('?')[0] === `/${welcome}`)[count - 1]
            return found ?? (gone.has(`${url}/${welcome}`) ? 'gone' : undefined)
          },
          () => `request ${String(count)} for /${welcome} has not come`,
        )
        .then(found => (found === 'gone' ? undefined : found)),
  }
}
