import test from 'ava'
import { openSite } from './site.ts'

const LINK = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

test('a page that is opened from a mail or from another site is no attack', async t => {
  const { ask, logIn } = await openSite(t)
  const cookie = await logIn('ada')
  for (const site of ['cross-site', 'same-site', 'none']) {
    for (const method of ['GET', 'HEAD']) {
      t.is((await ask({ cookie, ...LINK, 'sec-fetch-site': site }, { method })).status, 200, `${method} ${site}`)
    }
  }
  t.is((await ask({ cookie })).status, 200, 'a browser without Fetch Metadata')
})

test('frames, scripts and requests of other sites’ pages are refused', async t => {
  const { ask, logIn, visits, refusals } = await openSite(t)
  const cookie = await logIn('ada')
  const foreign = { cookie, 'sec-fetch-site': 'cross-site' }
  for (const dest of ['iframe', 'frame', 'embed', 'object', '']) {
    t.is((await ask({ ...foreign, ...LINK, 'sec-fetch-dest': dest })).status, 403, dest)
  }
  for (const mode of ['no-cors', 'cors', 'same-origin', 'websocket', '']) {
    t.is((await ask({ ...foreign, ...LINK, 'sec-fetch-mode': mode })).status, 403, mode)
  }
  t.is((await ask({ cookie, origin: 'https://evil.example' })).status, 403)
  t.deepEqual(visits, [])
  t.true(refusals.every(({ reason, status, error }) => reason === 'origin' && status === 403 && error instanceof Error))
})

test('what changes something needs a page of the site’s own, or of a listed origin', async t => {
  const { ask, logIn, url, visits } = await openSite(t, { guard: { origins: ['https://app.example.com'] } })
  const cookie = await logIn('ada')
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const headers of [
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', ...LINK },
      { origin: 'null', 'sec-fetch-site': 'cross-site', ...LINK },
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site', ...LINK },
    ]) {
      t.is((await ask({ cookie, ...headers }, { method })).status, 403, method)
    }
  }
  t.deepEqual(visits, [])
  const own = { origin: url, 'sec-fetch-site': 'same-origin' }
  t.is((await ask({ cookie, ...own }, { method: 'POST' })).status, 200)
  const listed = { origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' }
  t.is((await ask({ cookie, ...listed }, { method: 'POST' })).status, 200)
})

test('a preflight that gets as far as the login is told from a visitor without one', async t => {
  const { url, refusals } = await openSite(t)
  const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'POST' }
  t.is((await fetch(url, { method: 'OPTIONS', headers })).status, 401)
  t.is((await fetch(url)).status, 401)
  const [preflight, visitor] = refusals
  t.regex((preflight?.error as Error).message, /mount a middleware that answers it, such as @koa\/cors, before/)
  t.is(visitor?.error, undefined)
})

test('a token is not bound to origins', async t => {
  const { ask, token } = await openSite(t)
  const headers = {
    authorization: `Bearer ${token()}`,
    origin: 'https://elsewhere.example',
    'sec-fetch-site': 'cross-site',
  }
  t.is((await ask(headers, { method: 'POST' })).status, 200)
})
