import test from 'ava'
import { openStream } from '../support/http.ts'
import { openSite } from './site.ts'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test('a token lets its holder see and place orders', async t => {
  const site = await openSite(t)
  const headers = { ...bearer(await site.token('ada')), 'content-type': 'application/json' }
  const body = JSON.stringify({ lot: 'cerrado', bags: 2 })
  const placed = await fetch(`${site.url}/api/orders`, { method: 'POST', headers, body })
  t.is(placed.status, 201)
  const order: unknown = await placed.json()
  t.like(order, { lot: 'Cerrado Natural', bags: 2 })
  t.deepEqual(await (await fetch(`${site.url}/api/orders`, { headers })).json(), [order])
})

test('a token is signed with a private key, for this API, for a quarter of an hour, and is kept in no cache', async t => {
  const site = await openSite(t)
  const response = await site.askForTokens({ username: 'ada', password: 'analytical-engine' })
  t.is(response.headers.get('cache-control'), 'no-store')
  const answer = (await response.json()) as { access_token: string; expires_in: number }
  t.is(answer.expires_in, 900)
  const [header, payload] = answer.access_token
    .split('.')
    .slice(0, 2)
    .map(part => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>)
  t.like(header, { alg: 'ES256' })
  t.like(payload, { sub: 'ada', iss: 'quayside', aud: 'quayside-api' })
})

test('a wrong password, an order that is none, and nonsense are told as JSON', async t => {
  const site = await openSite(t)
  const post = (path: string, body: string, headers = {}) =>
    fetch(site.url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })
  const wrong = await post('/api/token', JSON.stringify({ username: 'ada', password: 'x' }))
  t.is(wrong.status, 401)
  t.deepEqual(await wrong.json(), { error: 'user name and password do not match' })
  const authorized = bearer(await site.token('ada'))
  t.is((await post('/api/orders', JSON.stringify({ lot: 'nyeri', bags: -1 }), authorized)).status, 422)
  const nonsense = await post('/api/orders', '{', authorized)
  t.is(nonsense.status, 400)
  t.deepEqual(await nonsense.json(), { error: 'The request could not be read.' })
  t.is((await post('/api/orders', JSON.stringify({ lot: 'x'.repeat(20_000) }), authorized)).status, 413)
  t.is((await fetch(`${site.url}/api/nothing`)).status, 404)
})

test('a bearer client streams its own events', async t => {
  const site = await openSite(t)
  const stream = await openStream(`${site.url}/api/events`, { headers: bearer(await site.token('ada')) })
  t.is(stream.status, 200)
  await stream.next(thing => thing.event === 'cursor')
  await site.services.notify('grace', 'not for ada')
  await site.services.notify('ada', 'for ada')
  t.like(JSON.parse((await stream.next()).data), { text: 'for ada' })
})

test('neither no token, nor a bad one, nor a cookie opens the API', async t => {
  const site = await openSite(t)
  const { cookie } = await site.loggedIn('ada')
  const [header, , signature] = (await site.token('ada')).split('.')
  const forged = [header, Buffer.from('{"sub":"grace"}').toString('base64url'), signature].join('.')
  for (const path of ['/api/orders', '/api/events']) {
    const none = await fetch(site.url + path, { headers: { cookie } })
    t.is(none.status, 401, path)
    t.regex(none.headers.get('www-authenticate') ?? '', /^Bearer realm="[^"]+"(, Ticket realm="[^"]+")?$/, path)
    const bad = await fetch(site.url + path, { headers: bearer(forged) })
    t.is(bad.status, 401, path)
    t.regex(bad.headers.get('www-authenticate') ?? '', /error="invalid_token"/, path)
  }
})

test('a token that was given back is worth nothing, and its streams close', async t => {
  const site = await openSite(t)
  const headers = bearer(await site.token('ada'))
  const stream = await openStream(`${site.url}/api/events`, { headers })
  await stream.next()
  t.is((await fetch(`${site.url}/api/token`, { method: 'DELETE', headers })).status, 204)
  await stream.closed
  t.is((await openStream(`${site.url}/api/events`, { headers })).status, 401)
  t.is((await fetch(`${site.url}/api/orders`, { headers })).status, 401)
})

test('pages of listed origins may call the API, and no others', async t => {
  const site = await openSite(t, { apiOrigins: ['https://app.example'] })
  const preflight = (origin: string) =>
    fetch(`${site.url}/api/events`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization,last-event-id',
      },
    })
  const allowed = await preflight('https://app.example')
  t.is(allowed.status, 204)
  t.is(allowed.headers.get('access-control-allow-origin'), 'https://app.example')
  t.regex(allowed.headers.get('access-control-allow-headers') ?? '', /Authorization.*Last-Event-ID/)
  t.is((await preflight('https://evil.example')).headers.get('access-control-allow-origin'), null)

  const refused = await fetch(`${site.url}/api/orders`, { headers: { origin: 'https://app.example' } })
  t.is(refused.headers.get('access-control-allow-origin'), 'https://app.example')
})
