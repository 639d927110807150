import test, { type ExecutionContext } from 'ava'
import Koa, { type Context } from 'koa'
import session from 'koa-session'
import {
  AuthenticationError,
  bearerToken,
  createHub,
  createIdentity,
  eventStream,
  sessionCookie,
  type Authenticator,
  type EventStreamMiddleware,
  type Identity,
} from 'koa-event-stream'
import { AUDIENCE, forge, ISSUER, lastingClaims, SECRET } from '../auth/jwt/keys.ts'
import { CountingStore } from '../auth/session/site.ts'
import { Deferred } from '../support/deferred.ts'
import { openStream, serve } from '../support/http.ts'
import { listen } from '../support/hub-events.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Visitor } from '../support/visitor.ts'

const cookie = sessionCookie({ identify: ({ userId }: { userId?: string }) => userId && { id: userId } })
const bearer = bearerToken({ key: SECRET, algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE })

const token = (changes?: Record<string, unknown>) => `Bearer ${forge({ alg: 'HS256' }, lastingClaims(changes), SECRET)}`

/** Serves streams to whom these authenticators know; `seen` has their identities. */
async function openSite(t: ExecutionContext, authenticate: Authenticator | readonly Authenticator[]) {
  const hub = createHub()
  const seen: Identity[] = []
  const app = new Koa()
  const errors: unknown[] = []
  app.keys = ['a key to sign cookies with']
  app.on('error', error => errors.push(error))
  app.use(session({ store: new CountingStore() }, app))
  const streams: EventStreamMiddleware = eventStream({
    hub,
    authenticate,
    subscribe: stream => {
      seen.push(stream.identity)
      return 'news'
    },
  })
  app.use(async (ctx: Context) => {
    if (ctx.path === '/events') {
      await streams(ctx)
      return
    }
    ctx.session.userId = ctx.query.user
    ctx.body = 'done'
  })
  const { url } = await serve(app, t)
  const visitor = new Visitor(url)
  return { visitor, seen, errors, ...listen(hub) }
}

for (const [order, list] of [
  ['cookie, bearer', [cookie, bearer]],
  ['bearer, cookie', [bearer, cookie]],
] as const) {
  test(`${order}: either gets a stream; the token, which is sent on purpose, goes before the cookie`, async t => {
    const { visitor, seen } = await openSite(t, list)
    t.is((await visitor.openStream('/events', { authorization: token() })).status, 200)
    await visitor.visit('/login?user=eve')
    t.is((await visitor.openStream()).status, 200)
    t.is((await visitor.openStream('/events', { authorization: token() })).status, 200)
    t.is((await visitor.openStream('/events', { authorization: 'Basic YTpi' })).status, 200)
    t.deepEqual(
      seen.map(({ id, scheme }) => `${id} by ${scheme}`),
      ['ada by bearer', 'eve by session', 'ada by bearer', 'eve by session'],
    )
  })

  test(`${order}: a bad token is not saved by a good cookie`, async t => {
    const { visitor, seen } = await openSite(t, list)
    await visitor.visit('/login?user=eve')
    const refused = await visitor.openStream('/events', { authorization: token({ exp: 1 }) })
    t.is(refused.status, 401)
    t.regex(refused.headers['www-authenticate'] ?? '', /^Bearer realm="events", error="invalid_token"[^,]*,[^,]*$/)
    t.is((await visitor.openStream('/events', { authorization: 'Bearer' })).status, 400)
    t.deepEqual(seen, [])
  })

  test(`${order}: a token is not bound to an origin, as the cookie beside it is`, async t => {
    const { visitor } = await openSite(t, list)
    await visitor.visit('/login?user=eve')
    const origin = 'https://elsewhere.example'
    t.is((await visitor.openStream('/events', { origin, authorization: token() })).status, 200)
    t.is((await visitor.openStream('/events', { origin })).status, 403)
  })

  test(`${order}: without credentials the 401 names both schemes`, async t => {
    const { visitor } = await openSite(t, list)
    const { status, headers } = await visitor.openStream()
    t.is(status, 401)
    t.is(headers['www-authenticate'], 'Bearer realm="events", Cookie realm="events"')
  })
}

const keyed = (authenticate: Authenticator['authenticate']): Authenticator => ({
  scheme: 'api-key',
  challenge: 'ApiKey realm="events"',
  ambient: false,
  authenticate,
})

test('an authenticator of one’s own says who it is', async t => {
  const own = keyed(async ctx =>
    ctx.get('x-api-key') === 'k' ? createIdentity({ id: 'robot', scheme: 'api-key' }) : undefined,
  )
  const { visitor, seen } = await openSite(t, [own, cookie])
  t.is((await visitor.openStream('/events', { 'x-api-key': 'k' })).status, 200)
  t.like(seen, [{ id: 'robot', scheme: 'api-key' }])
  const refused = await visitor.openStream('/events', { 'x-api-key': 'wrong' })
  t.is(refused.headers['www-authenticate'], 'ApiKey realm="events", Cookie realm="events"')
})

test('its refusals become statuses, with its own challenge or everybody’s', async t => {
  const refusals = {
    malformed: new AuthenticationError('malformed', 'two keys at once'),
    rejected: new AuthenticationError('rejected', 'an old key', { challenge: 'ApiKey realm="events", error="old"' }),
    forbidden: new AuthenticationError('forbidden', 'a key for something else'),
    unavailable: new AuthenticationError('unavailable', 'no way to tell'),
  }
  const own = keyed(ctx => {
    throw refusals[ctx.get('x-api-key') as keyof typeof refusals]
  })
  const site = await openSite(t, [own, cookie])
  const all = 'ApiKey realm="events", Cookie realm="events"'
  for (const [key, status, challenge] of [
    ['malformed', 400, all],
    ['rejected', 401, 'ApiKey realm="events", error="old"'],
    ['forbidden', 403, all],
    ['unavailable', 503, undefined],
  ] as const) {
    const refused = await site.visitor.openStream('/events', { 'x-api-key': key })
    t.is(refused.status, status)
    t.is(refused.headers['www-authenticate'], challenge)
    t.false((await refused.text()).includes(refusals[key].message), 'the message is for the operator')
    t.is(site.refusals.at(-1)?.error, refusals[key])
  }
})

test('any other error of its is the application’s, and opens nothing', async t => {
  const own = keyed(() => Promise.reject(new Error('a bug')))
  const { visitor, seen, errors } = await openSite(t, [own, cookie])
  await visitor.visit('/login?user=eve')
  t.is((await visitor.openStream()).status, 500)
  t.like(errors, [{ message: 'a bug' }])
  t.deepEqual(seen, [])
})

test('what it says holds no more ends the stream', async t => {
  let holds = true
  const own = {
    ...keyed(() => createIdentity({ id: 'robot', scheme: 'api-key' })),
    revalidation: { interval: 1_000, grace: 0, holds: () => holds },
  }
  const { visitor } = await openSite(t, own)
  holds = false
  t.is((await visitor.openStream()).status, 401)
})

test('an authenticator that hangs is answered with 503 in time, and no resolver is asked', async t => {
  const clock = new ManualClock()
  const asked = new Deferred<undefined>()
  const answer = new Deferred<Identity | undefined>()
  const hub = createHub({ clock })
  const { refusals } = listen(hub)
  const app = new Koa()
  const authenticate: Authenticator = {
    scheme: 'slow',
    challenge: 'Slow realm="events"',
    ambient: false,
    authenticate: () => {
      asked.resolve(undefined)
      return answer.promise
    },
  }
  app.use(eventStream({ hub, authenticate, limits: { timeout: 2_000 }, subscribe: () => t.fail() }))
  const { url } = await serve(app, t)
  const opening = openStream(url)
  await asked.promise
  clock.advance(2_000)
  t.is((await opening).status, 503)
  answer.reject(new Error('too late for anybody to hear'))
  t.like(refusals, [{ reason: 'unavailable', status: 503 }])
})
