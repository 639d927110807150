import { inspect } from 'node:util'
import test from 'ava'
import type { Context, Middleware } from 'koa'
import { openSite, type SiteOptions } from './site.ts'

/** Everything that a logger may come to see of an object. */
function logged(...things: unknown[]): string {
  return things.map(thing => inspect(thing, { depth: 6, maxArrayLength: null, maxStringLength: null })).join('\n')
}

/** Every place where Koa and Node have the URL of a request, parsed or not. */
function urlsOf(ctx: Context): string {
  const { req, request } = ctx
  // Before Koa is asked, which parses anew.
  const parsed = '_parsedUrl' in req && req._parsedUrl
  const { headers, rawHeaders, url } = req
  const { href, search, querystring, originalUrl, query, URL } = ctx
  return logged({ headers, rawHeaders, url, href, search, querystring, originalUrl, query, URL, parsed }, request, ctx)
}

/** Middleware that looks before and after, with what it has seen. */
function watch(): { seen: () => string; look: Middleware; texts: string[] } {
  const texts: string[] = []
  return {
    texts,
    seen: () => texts.join('\n'),
    look: async (ctx, next) => {
      // Has Koa parse the URL, and remember what it found.
      logged(ctx.query, ctx.URL)
      await next()
      texts.push(urlsOf(ctx))
    },
  }
}

for (const [how, options] of [
  ['HTTP/1.1', {}],
  ['HTTP/2', { http2: true }],
] as const satisfies [string, SiteOptions][]) {
  test(`${how}: a ticket shows nowhere once it was read, whatever becomes of it`, async t => {
    const { seen, look, texts } = watch()
    const issuer = await openSite(t)
    const site = await openSite(t, { hub: issuer.hub, ...options, outer: [look] })
    const told: string[] = []
    for (const name of ['open', 'close', 'refuse', 'fault'] as const) {
      site.hub.on(name, (about: unknown) => told.push(logged(about)))
    }
    const [used, limited, elsewhere] = [
      await issuer.ticket(),
      await issuer.ticket(),
      await issuer.ticket({ origin: 'https://app.example.com' }),
    ]
    const malformed = 'B'.repeat(44)
    const tries: [ticket: string, status: number, options?: Parameters<typeof site.open>[1]][] = [
      [used, 200, { method: 'HEAD' }],
      [used, 406, { headers: { accept: 'text/html' } }],
      [elsewhere, 401, { headers: { origin: 'https://elsewhere.example' } }],
      [used, 200],
      [used, 401],
      [limited, 200],
      [malformed, 401],
      [`${used}&ticket=${limited}`, 400],
      [`${used}&%74icket=${limited}&x=1`, 400],
    ]
    for (const [ticket, status, how] of tries) t.is((await site.open(ticket, how)).status, status, ticket)
    t.is(texts.length, tries.length)
    t.true(seen().includes('/events'))
    t.true(seen().includes('/events?x=1'), 'the rest of the query stays')
    for (const ticket of [used, limited, elsewhere, malformed]) {
      t.false(seen().includes(ticket))
      t.false(told.join().includes(ticket))
    }
  })
}

test('`hide`, mounted first, keeps it from middleware that looks before', async t => {
  const { look, texts } = watch()
  const early: string[] = []
  const site = await openSite(t)
  const { tickets } = site
  const other = await openSite(t, {
    hub: site.hub,
    outer: [
      tickets.hide,
      async (ctx, next) => {
        early.push(urlsOf(ctx))
        await next()
      },
      look,
    ],
  })
  const ticket = await site.ticket()
  const stream = await other.open(`${ticket}&x=1`)
  t.is(stream.status, 200)
  t.is((await stream.next()).event, 'cursor')
  for (const text of [...early, ...texts]) {
    t.true(text.includes('/events?x=1'))
    t.false(text.includes(ticket))
  }
  t.deepEqual([early.length, texts.length], [1, 1])
})

test('what else is in the query arrives as it was sent', async t => {
  const seen: string[] = []
  const site = await openSite(t, {
    stream: { subscribe: (_stream, ctx) => void seen.push(ctx.querystring, ctx.originalUrl, String(ctx.query.q)) },
  })
  await site.open(await site.ticket(), { headers: {} })
  const ticket = await site.ticket()
  const { status } = await fetch(`${site.url}/events?q=a%20b+c&ticket=${ticket}&empty=&lastEventId=1`)
  t.is(status, 200)
  t.deepEqual(seen, [
    '',
    '/events',
    'undefined',
    'q=a%20b+c&empty=&lastEventId=1',
    '/events?q=a%20b+c&empty=&lastEventId=1',
    'a b c',
  ])
})
