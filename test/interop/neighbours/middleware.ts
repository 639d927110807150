import cors from '@koa/cors'
import etag from '@koa/etag'
import compress from 'koa-compress'
import conditional from 'koa-conditional-get'
import helmet from 'koa-helmet'
import logger from 'koa-logger'
import mount from 'koa-mount'
import rateLimit from 'koa-ratelimit'
import type { Neighbour, Site } from '../neighbour.ts'

const ORIGIN = 'https://app.example.com'

async function compressesPages({ t, get }: Site): Promise<void> {
  t.is((await get('/page', { 'accept-encoding': 'gzip' })).headers.get('content-encoding'), 'gzip')
}

async function validatesPages({ t, get }: Site): Promise<void> {
  const tag = (await get('/page')).headers.get('etag') ?? ''
  t.regex(tag, /^(W\/)?"/)
  // `fetch` would ask caches to stand aside.
  t.is((await get('/page', { 'if-none-match': tag, 'cache-control': 'max-age=0' })).status, 304)
}

/** Middleware that changes requests and responses. */
export const middleware: readonly Neighbour[] = [
  {
    packages: ['koa-compress'],
    how: 'before the stream',
    note: 'Leaves streams alone, since they say `no-transform`',
    arrange: () => ({ before: [compress({ threshold: 0 })], proves: compressesPages }),
  },
  {
    packages: ['koa-compress'],
    how: 'after the stream',
    note: 'The stream answers before it',
    arrange: () => ({ after: [compress({ threshold: 0 })], proves: compressesPages }),
  },
  {
    packages: ['koa-helmet'],
    note: 'Its headers are on the stream too',
    arrange: () => ({
      before: [helmet()],
      proves: ({ t, first }) => {
        t.regex(String(first.headers['content-security-policy']), /default-src/)
      },
    }),
  },
  {
    packages: ['@koa/etag', 'koa-conditional-get'],
    note: 'A stream has no `ETag`, and is never a 304',
    arrange: () => ({ before: [conditional(), etag()], proves: validatesPages }),
  },
  {
    packages: ['koa-mount'],
    note: 'The stream is in the application that is mounted',
    arrange: ({ Koa }) => ({
      inside: app => new Koa().use(mount('/push', app)),
      prefix: '/push',
      proves: async ({ t, get }) => {
        t.is((await get('/page')).status, 404)
        t.is((await get('/push/page')).status, 200)
      },
    }),
  },
  {
    packages: ['koa-ratelimit'],
    note: 'Counts openings; its 429 ends an EventSource for good, which `limits.rate` does not',
    arrange: () => ({
      before: [rateLimit({ driver: 'memory', db: new Map<string, unknown>(), max: 2, duration: 60_000 })],
      proves: async ({ t, first, open, hub }) => {
        t.is(first.headers['x-ratelimit-remaining'], '1')
        t.is((await open()).status, 429)
        t.is(hub.stats().opened, 2)
      },
    }),
  },
  {
    packages: ['@koa/cors'],
    note: 'Mount it before the stream; with cookies, list the same origins in `origins`',
    arrange: () => ({
      before: [cors({ origin: ORIGIN, credentials: true })],
      headers: { 'x-user': 'ann', origin: ORIGIN },
      proves: async ({ t, first, open }) => {
        const expected = { 'access-control-allow-origin': ORIGIN, 'access-control-allow-credentials': 'true' }
        t.like(first.headers, { ...expected, vary: 'Origin' })
        t.like(await open({ 'x-user': '' }), { status: 401, headers: expected })
      },
    }),
  },
  {
    packages: ['koa-logger', 'koa-helmet', 'koa-compress', 'koa-conditional-get', '@koa/etag'],
    how: 'all at once',
    note: 'In this order',
    arrange: () => ({
      before: [logger(() => {}), helmet(), compress({ threshold: 0 }), conditional(), etag()],
      proves: async site => {
        await compressesPages(site)
        await validatesPages(site)
      },
    }),
  },
]
