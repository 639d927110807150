import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import { CountingStore } from '../auth/session/site.ts'
import { koaVersions } from '../support/koa-versions.ts'
import { openSite } from '../session/site.ts'

const HOST = 'shop.example.com'

/** Asks for Ada's stream with her cookie and these headers; answers the status and whether the resolver was asked. */
async function openShop(t: ExecutionContext, app = new Koa()) {
  let asked = 0
  const site = await openSite(t, {
    app,
    session: { store: new CountingStore() },
    stream: {
      origins: ['https://app.example.com', 'http://localhost:8080'],
      subscribe: () => {
        asked += 1
        return 'news'
      },
      limits: { identity: 1_000 },
    },
  })
  const ada = await site.loggedIn('ada')
  const ask = async (headers: Record<string, string>) => {
    const before = asked
    const stream = await ada.openStream('/events', { host: HOST, ...headers })
    if (stream.status === 200) stream.close()
    else t.is(asked, before, 'the resolver is not asked')
    return stream.status
  }
  return { ...site, ask }
}

for (const [version, KoaVersion] of koaVersions) {
  test(`${version}: the site’s own pages and the listed origins may use the cookie`, async t => {
    const { ask } = await openShop(t, new KoaVersion())
    t.is(await ask({}), 200, 'an EventSource of the same origin, without https')
    t.is(await ask({ 'sec-fetch-site': 'same-origin' }), 200, 'the same, with https')
    t.is(await ask({ 'sec-fetch-site': 'none' }), 200, 'typed into the address bar')
    t.is(await ask({ origin: `http://${HOST}` }), 200, 'a fetch with POST')
    t.is(await ask({ origin: 'https://app.example.com', 'sec-fetch-site': 'same-site' }), 200)
    t.is(await ask({ origin: 'https://app.example.com' }), 200)
    t.is(await ask({ origin: 'http://localhost:8080', 'sec-fetch-site': 'cross-site' }), 200)
  })

  test(`${version}: no look-alike of them may`, async t => {
    const { ask, refusals } = await openShop(t, new KoaVersion())
    const lookAlikes = [
      'https://app.example.com.evil.com',
      'https://app.example.comevil',
      'https://evilapp.example.com',
      'https://evil.com/https://app.example.com',
      'https://app.example.com@evil.com',
      'https://user@app.example.com',
      'https://app.example.com:8443',
      'https://app.example.com:443',
      'https://app.example.com.',
      'https://app.example.com/',
      'https://APP.example.com',
      'HTTPS://app.example.com',
      'http://app.example.com',
      'wss://app.example.com',
      'https://example.com',
      'https://app.example.com, https://evil.com',
      'https://evil.com https://app.example.com',
      `http://${HOST}:81`,
      `http://${HOST}.`,
      `http://${HOST.toUpperCase()}`,
      `https://${HOST}`,
      `//${HOST}`,
      HOST,
      'null',
      'file://',
      'about:blank',
      'undefined',
      '*',
    ]
    for (const origin of lookAlikes) t.is(await ask({ origin }), 403, origin)
    t.is(refusals.length, lookAlikes.length)
    t.true(refusals.every(({ reason, status }) => reason === 'origin' && status === 403))
  })
}

test('images, scripts and no-cors requests of other sites are known by Fetch Metadata', async t => {
  const { ask } = await openShop(t)
  for (const site of ['cross-site', 'same-site', 'anything']) {
    for (const destination of ['image', 'script', 'empty']) {
      const headers = { 'sec-fetch-site': site, 'sec-fetch-dest': destination, 'sec-fetch-mode': 'no-cors' }
      t.is(await ask(headers), 403, `${destination}, ${site}`)
    }
  }
})

test('what Fetch Metadata says is not outdone by an Origin that looks like the site’s own', async t => {
  const { ask } = await openShop(t)
  t.is(await ask({ origin: `http://${HOST}`, 'sec-fetch-site': 'same-origin' }), 200)
  for (const site of ['cross-site', 'same-site', 'none']) {
    t.is(await ask({ origin: `http://${HOST}`, 'sec-fetch-site': site }), 403, site)
  }
})

test('behind a proxy that ends TLS and that Koa trusts, the origin is the one that the browser sees', async t => {
  const app = new Koa()
  app.proxy = true
  const { ask } = await openShop(t, app)
  const proxied = { 'x-forwarded-proto': 'https', 'x-forwarded-host': HOST, host: '10.0.0.1:3000' }
  t.is(await ask({ ...proxied, origin: `https://${HOST}` }), 200)
  t.is(await ask({ ...proxied, origin: `http://${HOST}` }), 403)
  t.is(await ask({ ...proxied, origin: 'https://10.0.0.1:3000' }), 403)
})

test('behind one that Koa was not told of, the browser’s word is needed, and forwarded headers are worth nothing', async t => {
  const { ask } = await openShop(t)
  t.is(await ask({ origin: `https://${HOST}`, 'sec-fetch-site': 'same-origin' }), 200)
  t.is(await ask({ origin: `https://${HOST}` }), 403)
  t.is(await ask({ origin: `https://${HOST}`, 'sec-fetch-site': 'cross-site' }), 403)
  const forged = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.com' }
  t.is(await ask({ ...forged, origin: 'https://evil.com' }), 403)
  for (const site of ['cross-site', 'same-site', 'none']) {
    t.is(await ask({ ...forged, origin: 'https://evil.com', 'sec-fetch-site': site }), 403, site)
  }
})

test('behind a proxy that rewrites `Host`, the browser’s word is enough; a forged `Host` makes no page our own', async t => {
  const { ask } = await openShop(t)
  const rewritten = { host: 'backend:3000', origin: `https://${HOST}` }
  t.is(await ask({ ...rewritten, 'sec-fetch-site': 'same-origin' }), 200)
  t.is(await ask({ ...rewritten }), 403, 'a browser that says nothing of it')
  const forged = { host: 'evil.example', origin: 'http://evil.example' }
  for (const site of ['cross-site', 'same-site']) t.is(await ask({ ...forged, 'sec-fetch-site': site }), 403, site)
})

test('listeners are told what the request said of its page, and what was expected', async t => {
  const { ask, refusals } = await openShop(t)
  await ask({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })
  await ask({ 'sec-fetch-site': 'same-site' })
  await ask({ origin: `"${'x'.repeat(5_000)}` })
  const [named, unnamed, long] = refusals.map(({ error }) => (error as Error).message)
  t.is(
    named,
    `a request with Origin "https://evil.example" and Sec-Fetch-Site "cross-site" came with the user's cookie; it may come ` +
      `from pages of "http://${HOST}", "https://app.example.com", "http://localhost:8080": add others to \`origins\``,
  )
  t.regex(unnamed ?? '', /with Origin \(none\) and Sec-Fetch-Site "same-site"/)
  t.true((long ?? '').includes(String.raw`Origin "\"xxx`) && (long ?? '').length < 600)
})
