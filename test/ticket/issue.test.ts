import { createHash } from 'node:crypto'
import test from 'ava'
import { bearerToken, createIdentity, urlTicket, createHub, type Authenticator } from 'koa-event-stream'
import { SECRET } from '../auth/jwt/keys.ts'
import { Deferred } from '../support/deferred.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { openSite } from './site.ts'

const keyed = (own: Partial<Authenticator> = {}): Authenticator => ({
  scheme: 'key',
  challenge: 'Key realm="events"',
  ambient: false,
  authenticate: () => createIdentity({ id: 'robot', scheme: 'key' }),
  ...own,
})

test('an authenticated caller gets a ticket, which nobody else may keep', async t => {
  const { ask, uses } = await openSite(t)
  const answer = await ask()
  t.is(answer.status, 200)
  t.is(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.is(answer.headers.get('cache-control'), 'no-store')
  t.is(answer.headers.get('referrer-policy'), 'no-referrer')
  const { ticket, ...rest } = (await answer.json()) as { ticket: string }
  t.deepEqual(rest, { expiresIn: 30 } as object)
  t.is(Buffer.from(ticket, 'base64url').length, 32)
  t.regex(ticket, /^[\w-]{43}$/)

  const [entered, ...others] = uses.filter(({ method }) => method === 'set')
  t.deepEqual(others, [])
  t.is(entered?.ttl, 30_000)
  t.is(entered?.key, `ticket:events:${createHash('sha256').update(ticket).digest('base64url')}`)
  t.false(entered?.value?.includes(ticket))
})

test('every ticket is another', async t => {
  const { ticket } = await openSite(t)
  const tickets = await Promise.all(Array.from({ length: 20 }, () => ticket()))
  t.is(new Set(tickets).size, 20)
})

test('a ticket lives no longer than the login', async t => {
  const { ask, token, clock, uses, open } = await openSite(t)
  const exp = clock.now() / 1_000 + 12
  const answer = await ask({ authorization: `Bearer ${token({ exp })}` })
  const { ticket, expiresIn } = (await answer.json()) as { ticket: string; expiresIn: number }
  t.is(expiresIn, 12)
  t.is(uses.find(({ method }) => method === 'set')?.ttl, 12_000)
  clock.advance(12_000)
  t.is((await open(ticket)).status, 401)
})

test('refusals are those of the stream, and enter nothing', async t => {
  const { ask, token, refusals, uses } = await openSite(t)
  for (const [authorization, status, error] of [
    [undefined, 401, undefined],
    [`Bearer ${token({ exp: 1 })}`, 401, 'invalid_token'],
    ['Bearer', 400, 'invalid_request'],
  ] as const) {
    const refused = await ask(authorization === undefined ? {} : { authorization })
    t.is(refused.status, status)
    t.is(refused.headers.get('cache-control'), 'no-store')
    t.is(/error="(\w+)"/.exec(refused.headers.get('www-authenticate') ?? '')?.[1], error)
    t.like(refusals.at(-1), { reason: 'unauthenticated', status })
  }
  t.deepEqual(
    uses.filter(({ method }) => method === 'set'),
    [],
  )
})

test('nothing but POST issues a ticket', async t => {
  const { ask, uses } = await openSite(t)
  for (const method of ['GET', 'HEAD', 'PUT', 'OPTIONS']) {
    const refused = await ask(undefined, method)
    t.is(refused.status, 405, method)
    t.is(refused.headers.get('allow'), 'POST')
  }
  t.deepEqual(uses, [])
})

test('a page of a foreign origin gets no ticket with the user’s cookie; one of a listed origin does', async t => {
  const site = await openSite(t, {
    tickets: { authenticate: keyed({ ambient: true }), origins: ['https://app.example.com'] },
  })
  for (const origin of ['https://elsewhere.example', 'null', 'https://app.example.com.elsewhere.example']) {
    t.is((await site.ask({ origin })).status, 403, origin)
    t.like(site.refusals.at(-1), { reason: 'origin', status: 403 })
  }
  t.deepEqual(site.uses, [])
  for (const origin of ['https://app.example.com', site.url]) t.is((await site.ask({ origin })).status, 200, origin)
})

test('a login that ended while it was looked at gets no ticket', async t => {
  let forgotten = 0
  const site = await openSite(t, {
    tickets: {
      authenticate: keyed({
        revalidation: { interval: 1_000, grace: 0, holds: () => false },
        forget: () => {
          forgotten += 1
        },
      }),
    },
  })
  const refused = await site.ask({})
  t.is(refused.status, 401)
  t.is(refused.headers.get('www-authenticate'), 'Key realm="events"')
  t.is(forgotten, 1)
  t.deepEqual(
    site.uses.filter(({ method }) => method === 'set'),
    [],
  )
})

test('where the store fails: 503, told to the operator only', async t => {
  const site = await openSite(t)
  site.store.set = () => Promise.reject(new Error('no room'))
  const refused = await site.ask()
  t.is(refused.status, 503)
  t.is(await refused.text(), 'Service Unavailable')
  t.like(site.refusals, [{ reason: 'unavailable', status: 503, error: { code: 'ERR_AUTH_UNAVAILABLE' } }])
})

test('where the store hangs: 503 in time', async t => {
  const site = await openSite(t, { tickets: { timeout: 2_000 } })
  const asked = new Deferred<undefined>()
  site.store.set = () => {
    asked.resolve(undefined)
    return new Promise(() => {})
  }
  const answer = site.ask()
  await asked.promise
  site.clock.advance(2_000)
  t.is((await answer).status, 503)
})

test('wrong options are refused at start-up, by their names', t => {
  const hub = createHub({ clock: new ManualClock() })
  const good = { hub, authenticate: keyed(), audience: 'events' }
  const chained = urlTicket(good)
  const wrong: [string, object][] = [
    ['hub', { hub: {} }],
    ['authenticate', { authenticate: undefined }],
    ['authenticate', { authenticate: false }],
    ['authenticate', { authenticate: [] }],
    ['authenticate', { authenticate: [keyed(), chained] }],
    ['audience', { audience: undefined }],
    ['audience', { audience: '' }],
    ['ttl', { ttl: 999 }],
    ['ttl', { ttl: 60_001 }],
    ['ttl', { ttl: '30s' }],
    ['maxAge', { maxAge: 0 }],
    ['maxAge', { maxAge: Infinity }],
    ['origins', { origins: ['*'] }],
    ['timeout', { timeout: 0 }],
    ['param', { param: 'a=b' }],
    ['param', { param: '' }],
    ['realm', { realm: 'a"b' }],
    ['urlTicket', { ticket: 'ticket' }],
  ]
  for (const [name, options] of wrong) {
    const error = t.throws(() => urlTicket({ ...good, ...options }), { instanceOf: TypeError })
    t.true(error.message.includes(`\`${name}\``), `${name}: ${error.message}`)
  }
  t.notThrows(() =>
    urlTicket({
      ...good,
      ttl: 60_000,
      authenticate: bearerToken({ key: SECRET, algorithms: ['HS256'], issuer: false, audience: false }),
    }),
  )
})
