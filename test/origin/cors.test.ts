import cors from '@koa/cors'
import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import type { AuthenticatedOptions } from 'koa-event-stream'
import { CountingStore } from '../auth/session/site.ts'
import { openStream } from '../support/http.ts'
import { koaVersions } from '../support/koa-versions.ts'
import { openSite } from '../session/site.ts'

const APP = 'https://app.example.com'
const PREFLIGHT = {
  origin: APP,
  'access-control-request-method': 'GET',
  'access-control-request-headers': 'authorization,last-event-id',
}

/** A site that shares its streams with the pages of one other origin. */
async function openShared(t: ExecutionContext, KoaVersion: typeof Koa, stream: Partial<AuthenticatedOptions> = {}) {
  const app = new KoaVersion()
  const origins = [APP]
  app.use(
    cors({
      origin: ctx => (origins.includes(ctx.get('origin')) ? ctx.get('origin') : ''),
      credentials: true,
      maxAge: 600,
    }),
  )
  const store = new CountingStore()
  const site = await openSite(t, { app, session: { store }, stream: { origins, ...stream } })
  return { ...site, store, ada: await site.loggedIn('ada') }
}

for (const [version, KoaVersion] of koaVersions) {
  test(`${version}: a stream that is shared with another origin has its CORS headers, and varies on Origin`, async t => {
    const { ada } = await openShared(t, KoaVersion)
    const shared = await ada.openStream('/events', { origin: APP, 'sec-fetch-site': 'same-site' })
    t.is(shared.status, 200)
    t.is(shared.headers['access-control-allow-origin'], APP)
    t.is(shared.headers['access-control-allow-credentials'], 'true')
    t.is(shared.headers.vary, 'Origin')
    const own = await ada.openStream()
    t.is(own.status, 200)
    t.is(own.headers['access-control-allow-origin'], undefined)
    t.is(own.headers.vary, 'Origin')
  })

  test(`${version}: every refusal keeps them, so that the page can read the status`, async t => {
    const thrown = { 403: 'forbidden', 500: 'broken' }
    const { visitor, ada, store, errors } = await openShared(t, KoaVersion, {
      subscribe: (_, ctx) => {
        const status = Number(ctx.query.throw)
        if (status === 500) throw new Error(thrown[500])
        if (status === 403) ctx.throw(403, thrown[403])
        store.get = () => Promise.reject(new Error('connection refused'))
        return 'news'
      },
    })
    const headers = { origin: APP, 'sec-fetch-site': 'same-site' }
    for (const [status, response] of [
      [401, await visitor().openStream('/events', headers)],
      [403, await ada.openStream('/events?throw=403', headers)],
      [500, await ada.openStream('/events?throw=500', headers)],
      [406, await ada.openStream('/events', { ...headers, accept: 'text/html' })],
      [503, await ada.openStream('/events', headers)],
    ] as const) {
      t.is(response.status, status)
      t.is(response.headers['access-control-allow-origin'], APP, String(status))
      t.is(response.headers['access-control-allow-credentials'], 'true', String(status))
      t.regex(response.headers.vary ?? '', /\bOrigin\b/i, String(status))
    }
    t.like(errors.splice(0), [{ message: thrown[500] }])
  })

  test(`${version}: an origin that is not shared with gets 403, without them`, async t => {
    const { ada } = await openShared(t, KoaVersion)
    const refused = await ada.openStream('/events', { origin: 'https://evil.com', 'sec-fetch-site': 'cross-site' })
    t.is(refused.status, 403)
    t.is(refused.headers['access-control-allow-origin'], undefined)
    t.is(refused.headers.vary, 'Origin')
  })

  test(`${version}: a preflight needs no login, and lets Authorization and Last-Event-ID through for a while`, async t => {
    const { url, store, hub } = await openShared(t, KoaVersion)
    const { reads } = store
    const { status, headers } = await openStream(`${url}/events`, { method: 'OPTIONS', headers: PREFLIGHT })
    t.is(status, 204)
    t.is(headers['access-control-allow-origin'], APP)
    t.is(headers['access-control-allow-credentials'], 'true')
    t.is(headers['access-control-allow-headers'], 'authorization,last-event-id')
    t.regex(headers['access-control-allow-methods'] ?? '', /\bGET\b/)
    t.is(headers['access-control-max-age'], '600')
    t.regex(headers.vary ?? '', /\bOrigin\b/)
    t.is(store.reads, reads)
    t.is(hub.stats().opened, 0)
  })
}

test('an @koa/cors that lets any origin in does not let it use the cookie', async t => {
  const app = new Koa()
  app.use(cors({ credentials: true }))
  const site = await openSite(t, { app, session: { store: new CountingStore() } })
  const ada = await site.loggedIn('ada')
  for (const origin of ['https://evil.com', 'null']) {
    const refused = await ada.openStream('/events', { origin })
    t.is(refused.headers['access-control-allow-origin'], origin, 'as @koa/cors has it')
    t.is(refused.status, 403)
  }
})
