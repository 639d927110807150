// The checks of `requireIdentity()` before the next middleware, always on the same kind of site.
import test from 'ava'
import Koa from 'koa'
import {
  createHub,
  createIdentity,
  memoryBroker,
  queryToken,
  requireIdentity,
  type Authenticator,
} from 'koa-event-stream'
import { AUDIENCE, claims, forge, ISSUER, SECRET } from '../auth/jwt/keys.ts'
import { Deferred } from '../support/deferred.ts'
import { serve } from '../support/http.ts'
import { koaVersions } from '../support/koa-versions.ts'
import { openSite } from './site.ts'

const INVALID = 'Bearer realm="events", error="invalid_token", error_description="The access token is not valid here"'

const keyed = (own: Partial<Authenticator> = {}): Authenticator => ({
  scheme: 'key',
  challenge: 'Key realm="events"',
  ambient: false,
  authenticate: () => createIdentity({ id: 'robot', scheme: 'key' }),
  ...own,
})

for (const [version, Koa] of koaVersions) {
  test(`${version}: who is known gets through, by token or by cookie, and \`ctx.state.identity\` says who`, async t => {
    const { ask, token, logIn, visits, refusals, errors } = await openSite(t, { Koa })
    const answer = await ask({ authorization: `Bearer ${token({ sub: 'ann' })}` })
    t.is(answer.status, 200)
    t.is(await answer.text(), 'hello ann')
    t.is((await ask({ cookie: await logIn('ada') })).status, 200)
    t.is((await ask({ authorization: `Bearer ${token({ sub: 'ben' })}` }, { method: 'POST' })).status, 200)
    t.deepEqual(visits, ['ann', 'ada', 'ben'])
    t.deepEqual([refusals, errors], [[], []])
  })

  test(`${version}: others are refused as by a stream, and the hub tells`, async t => {
    const { ask, token, refusals, visits } = await openSite(t, { Koa })
    for (const [headers, status, challenge] of [
      [{}, 401, 'Bearer realm="events", Cookie realm="events"'],
      [{ authorization: `Bearer ${token({ exp: 1 })}` }, 401, /error="invalid_token"/],
      [{ authorization: 'Bearer' }, 400, /error="invalid_request"/],
    ] as const) {
      const answer = await ask(headers)
      t.is(answer.status, status)
      const got = answer.headers['www-authenticate'] ?? ''
      if (typeof challenge === 'string') t.is(got, challenge)
      else t.regex(got, challenge)
      t.is(await answer.text(), status === 401 ? 'Unauthorized' : 'Bad Request')
      t.like(answer.headers, { 'cache-control': 'no-store', 'content-type': 'text/plain; charset=utf-8' })
      t.like(refusals.at(-1), { reason: 'unauthenticated', status })
    }
    t.deepEqual(visits, [])
  })
}

test('a revoked token is refused, and where nobody can tell: 503', async t => {
  const broker = memoryBroker()
  const { ask, token, hub, clock, refusals, visits } = await openSite(t, { broker })
  const authorization = `Bearer ${token({ jti: 'lost' })}`
  t.is((await ask({ authorization })).status, 200)
  await hub.revoke('lost', clock.now() + 60_000)
  const revoked = await ask({ authorization })
  t.is(revoked.status, 401)
  t.is(revoked.headers['www-authenticate'], INVALID)
  broker.store.get = () => Promise.reject(new Error('no connection'))
  const unknown = await ask({ authorization: `Bearer ${token({ jti: 'other' })}` })
  t.is(unknown.status, 503)
  t.is(unknown.headers['www-authenticate'], undefined)
  t.deepEqual(
    refusals.map(({ reason, status }) => `${reason} ${status}`),
    ['unauthenticated 401', 'unavailable 503'],
  )
  t.is(visits.length, 1)
})

test('a token that is revoked while it is being looked up is refused', async t => {
  const broker = memoryBroker()
  const { ask, token, hub, clock, visits } = await openSite(t, { broker })
  const [asked, answered] = [new Deferred<void>(), new Deferred<void>()]
  const { get } = broker.store
  broker.store.get = async key => {
    const answer = await get.call(broker.store, key)
    asked.resolve()
    await answered.promise
    return answer
  }
  const asking = ask({ authorization: `Bearer ${token({ jti: 'lost' })}` })
  await asked.promise
  await hub.revoke('lost', clock.now() + 60_000)
  answered.resolve()
  t.is((await asking).status, 401)
  t.deepEqual(visits, [])
})

test('a session that ends while its request is being authenticated is refused, and not created again', async t => {
  const [asked, answered] = [new Deferred<void>(), new Deferred<void>()]
  const { ask, logIn, store, visits } = await openSite(t, {
    session: { rolling: true },
    login: {
      identify: async ({ userId }) => {
        asked.resolve()
        await answered.promise
        return userId ? { id: userId } : undefined
      },
    },
  })
  const cookie = await logIn('ada')
  const asking = ask({ cookie })
  await asked.promise
  store.sessions.clear()
  answered.resolve()
  t.is((await asking).status, 401)
  t.deepEqual(visits, [])
  t.is(store.sessions.size, 0)
})

for (const [reason, status] of [
  ['logout', 401],
  ['server', 503],
] as const) {
  test(`who is disconnected (${reason}) while being authenticated is refused with ${status}, and may come again`, async t => {
    const [asked, answered] = [new Deferred<void>(), new Deferred<void>()]
    const authenticate = keyed({
      authenticate: async () => {
        asked.resolve()
        await answered.promise
        return createIdentity({ id: 'robot', scheme: 'key' })
      },
    })
    const { ask, hub, visits } = await openSite(t, { guard: { authenticate } })
    const asking = ask()
    await asked.promise
    await hub.disconnect({ identity: 'robot' }, reason)
    answered.resolve()
    t.is((await asking).status, status)
    t.deepEqual(visits, [])
    t.is((await ask()).status, 200)
  })
}

test('a store of sessions that cannot be asked again: 503', async t => {
  const { ask, logIn, store, refusals } = await openSite(t)
  const cookie = await logIn('ada')
  const { get } = store
  let reads = 0
  store.get = key => ((reads += 1) === 1 ? get(key) : Promise.reject(new Error('gone')))
  t.is((await ask({ cookie })).status, 503)
  t.like(refusals, [{ reason: 'unavailable', status: 503 }])
})

test('a request by an ordinary route prolongs a rolling session, also where streams do not', async t => {
  const { ask, logIn, store } = await openSite(t, { session: { rolling: true }, login: { streamsProlong: false } })
  const cookie = await logIn('ada')
  const before = store.writes
  t.is((await ask({ cookie })).status, 200)
  t.is(store.writes, before + 1)
})

test('plain HTTP is refused by option, before anybody is asked; what a trusted proxy says of TLS counts', async t => {
  let asked = 0
  const authenticate = keyed({ authenticate: () => ((asked += 1), createIdentity({ id: 'robot', scheme: 'key' })) })
  const { app, ask, refusals } = await openSite(t, { guard: { authenticate, requireSecure: true } })
  t.is((await ask()).status, 403)
  t.is(asked, 0)
  t.like(refusals, [{ reason: 'insecure', status: 403 }])
  app.proxy = true
  t.is((await ask({ 'x-forwarded-proto': 'https' })).status, 200)
})

for (const kind of ['address', 'identity'] as const) {
  test(`who comes too often as one ${kind} is told when to come back`, async t => {
    const keys: string[] = []
    const limiter = {
      consume: async (key: string) => {
        keys.push(key)
        if (keys.length > 1) throw Object.assign(Object.create(null), { msBeforeNext: 60_000 })
      },
    }
    const { ask, refusals, visits } = await openSite(t, {
      guard: { authenticate: keyed(), limits: { rate: { [kind]: limiter } } },
    })
    t.is((await ask()).status, 200)
    const refused = await ask()
    t.is(refused.status, 429)
    t.is(await refused.text(), 'Too Many Requests')
    const seconds = Number(refused.headers['retry-after'])
    t.true(seconds > 60 && seconds <= 65, String(seconds))
    t.deepEqual(
      keys,
      Array.from({ length: 2 }, () => (kind === 'address' ? 'address:127.0.0.1' : 'identity:robot')),
    )
    t.like(refusals, [{ reason: `${kind}-rate`, status: 429 }])
    t.is(visits.length, 1)
  })
}

test('an authenticator that never answers is given up, and one that breaks is an error of the application', async t => {
  const asked = new Deferred<void>()
  const hanging = await openSite(t, {
    guard: {
      limits: { timeout: 500 },
      authenticate: keyed({
        authenticate: () => {
          asked.resolve()
          return new Promise(() => undefined)
        },
      }),
    },
  })
  const asking = hanging.ask()
  await asked.promise
  hanging.clock.advance(500)
  t.is((await asking).status, 503)

  const broken = await openSite(t, {
    guard: { authenticate: keyed({ authenticate: () => Promise.reject(new Error('x')) }) },
  })
  t.is((await broken.ask()).status, 500)
  t.is(broken.errors.length, 1)
  t.like(broken.refusals, [{ reason: 'unavailable', status: 500 }])
})

test('tokens in the query leave the URL before the next middleware', async t => {
  const urls: string[] = []
  const authenticate = queryToken({ algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE, key: SECRET })
  const { url } = await openSite(t, {
    guard: { authenticate },
    outer: [
      async (ctx, next) => {
        await next()
        urls.push(ctx.url, ctx.originalUrl)
      },
    ],
  })
  const token = forge({ alg: 'HS256' }, claims(Date.now()), SECRET)
  const answer = await fetch(`${url}/a?access_token=${token}&b=1`)
  t.is(answer.status, 200)
  t.is(answer.headers.get('cache-control'), 'no-store')
  t.is(answer.headers.get('referrer-policy'), 'no-referrer')
  t.deepEqual(urls, ['/a?b=1', '/a?b=1'])
})

test('an error behind a token in the query is kept by no cache, and goes on as it is', async t => {
  const hub = createHub()
  t.teardown(() => hub.close())
  const authenticate = queryToken({ algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE, key: SECRET })
  const thrown: unknown[] = [
    Object.assign(new Error('gone'), { status: 410, expose: true, headers: { 'X-Why': 'sold' } }),
    Object.assign(new Error('none'), { status: 404 }),
    Object.defineProperty(new Error('locked'), 'headers', { value: undefined }),
    'no error',
  ]
  const caught: unknown[] = []
  const app = new Koa()
  app.on('error', () => undefined)
  app
    .use(async (_, next) => {
      try {
        await next()
      } catch (error) {
        caught.push(error)
        throw error
      }
    })
    .use(requireIdentity({ hub, authenticate }))
    .use(ctx => {
      throw thrown[Number(ctx.query.n)]
    })
  const { url } = await serve(app, t)
  const ask = (n: number) => fetch(`${url}/?n=${n}&access_token=${forge({ alg: 'HS256' }, claims(Date.now()), SECRET)}`)
  const gone = await ask(0)
  t.is(gone.status, 410)
  t.is(gone.headers.get('x-why'), 'sold')
  const none = await ask(1)
  t.is(none.status, 404)
  for (const { headers } of [gone, none]) {
    t.is(headers.get('cache-control'), 'no-store')
    t.is(headers.get('referrer-policy'), 'no-referrer')
  }
  t.is((await ask(2)).status, 500)
  t.is((await ask(3)).status, 500)
  t.deepEqual(caught, thrown)
  t.true(caught.every((error, n) => error === thrown[n]))
})
