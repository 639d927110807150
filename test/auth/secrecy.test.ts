// No credential may appear in errors, logs, metrics or traces: the tests share a site whose every output is kept.
import { Buffer } from 'node:buffer'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import Router from '@koa/router'
import Koa, { type Context } from 'koa'
import session from 'koa-session'
import {
  AuthenticationError,
  bearerToken,
  createHub,
  createIdentity,
  eventStream,
  memoryBroker,
  publishRoute,
  queryToken,
  requireIdentity,
  sessionCookie,
  stateUser,
  subscriptionRoute,
  urlTicket,
  watchSessions,
  type Authenticator,
  type Broker,
  type Hub,
  type KeyValueStore,
} from 'koa-event-stream'
import { traces } from 'koa-event-stream/opentelemetry'
import { opsRoutes } from 'koa-event-stream/ops'
import { metrics } from 'koa-event-stream/prometheus'
import { Registry } from 'prom-client'
import { openStream, serve } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Visitor } from '../support/visitor.ts'
import { AUDIENCE, claims, forge, ISSUER, SECRET } from './jwt/keys.ts'

/** Everything that a logger may come to see. */
function logged(things: readonly unknown[]): string {
  return things
    .flatMap(thing => [inspect(thing, { depth: Infinity, showHidden: true }), JSON.stringify(thing)])
    .join('\n')
}

/** An error as clients of stores and of HTTP make them: with all that they were asked. */
function failure(...asked: unknown[]): Error {
  const cause = Object.assign(new Error(`could not ask ${asked.join()}`), { config: { headers: asked } })
  return Object.assign(new Error(`failed: ${asked.join()}`, { cause }), { command: { args: asked } })
}

/** A site whose every error is kept, with what the hub, its metrics and its traces tell. */
async function openWatched(t: ExecutionContext, hub: Hub, app: Koa) {
  const errors: unknown[] = []
  const register = new Registry()
  metrics(hub, { register })
  const spans = new InMemorySpanExporter()
  traces(hub, { tracerProvider: new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }) })
  app.on('error', error => errors.push(error))
  hub.on('refuse', ({ error }) => errors.push(error))
  hub.on('fault', ({ error }) => errors.push(error))
  hub.on('lost', ({ error }) => errors.push(error))
  const { url } = await serve(app, t)
  const told = async () => {
    const finished = spans
      .getFinishedSpans()
      .map(({ name, attributes, events, status, links }) => ({ name, attributes, events, status, links }))
    return logged([...errors, ...finished, await register.metrics()])
  }
  return { url, errors, spans, told }
}

const clock = new ManualClock()
const token = forge({ alg: 'HS256', kid: 'a' }, claims(clock.now(), { jti: 'the-id-of-the-token' }), SECRET)
const jwt = { key: SECRET, algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE, clock } as const
const { key: _, ...keyless } = jwt

const all = (ctx: Context): unknown[] => [ctx.get('authorization'), ctx.get('cookie'), token, ...token.split('.')]

const broken: Record<string, Authenticator> = {
  'identify of a token': bearerToken({
    ...jwt,
    identify: (_claims, ctx) => {
      throw failure(...all(ctx))
    },
  }),
  'identify of a token, rejecting': bearerToken({
    ...jwt,
    identify: (_claims, ctx) => Promise.reject(failure(...all(ctx))),
  }),
  keys: bearerToken({ ...keyless, keys: () => Promise.reject(failure(token)) }),
  getKey: bearerToken({ ...keyless, getKey: () => Promise.reject(failure(token)) }),
  tokenFrom: bearerToken({
    ...jwt,
    tokenFrom: ctx => {
      throw failure(...all(ctx))
    },
  }),
  'identify of a user': stateUser({
    ambient: false,
    clock,
    identify: (_user, ctx) => {
      throw failure(...all(ctx))
    },
  }),
  holds: stateUser({
    ambient: false,
    clock,
    identify: () => ({ id: 'ada', session: 'the-key-of-the-session' }),
    holds: ({ session }) => Promise.reject(failure(session)),
  }),
  'an authenticator': {
    scheme: 'x',
    challenge: 'X',
    ambient: false,
    authenticate: ctx => Promise.reject(failure(...all(ctx))),
  },
  redeem: {
    scheme: 'x',
    challenge: 'X',
    ambient: false,
    authenticate: () => createIdentity({ id: 'ada', scheme: 'x', session: 'the-key-of-the-session' }),
    redeem: (ctx, identity) => Promise.reject(failure(...all(ctx), identity.session)),
    forget: ctx => Promise.reject(failure(...all(ctx))),
  },
  conceal: {
    scheme: 'x',
    challenge: 'X',
    ambient: false,
    authenticate: () => undefined,
    conceal: ctx => {
      throw failure(...all(ctx), ctx.query.secret)
    },
  },
}

for (const [name, authenticate] of Object.entries(broken)) {
  test(`${name} fails: no error shows the credentials of the request`, async t => {
    const hub = createHub({ clock, broker: memoryBroker({ clock }) })
    const app = new Koa()
    app.use(async (ctx, next) => {
      ctx.state.user = { id: 'ada' }
      await next()
    })
    app.use(eventStream({ hub, authenticate, subscribe: () => 'news' }))
    const { url, errors, told } = await openWatched(t, hub, app)
    const headers = { authorization: `Bearer ${token}`, cookie: 'sid=key-of-a-cookie; other=b%20of%20a%20cookie' }
    const { status } = await openStream(`${url}?secret=in-the-query`, { headers })
    t.true([500, 503].includes(status), String(status))
    t.true(errors.length > 0)
    const parts = [...token.split('.').slice(1), 'key-of-a-cookie', 'of%20a', 'the-key-of', 'in-the-query', 'the-id-of']
    const text = await told()
    for (const secret of parts) t.false(text.includes(secret), secret)
  })
}

/** What an authenticator of the application's fails with, as the hub tells of it. */
async function toldOf(t: ExecutionContext, headers: Record<string, string>, message: string): Promise<string> {
  const hub = createHub({ clock, broker: memoryBroker({ clock }) })
  const authenticate = () => Promise.reject(new AuthenticationError('unavailable', message))
  const app = new Koa()
  app.use(
    eventStream({
      hub,
      authenticate: { scheme: 'x', challenge: 'X', ambient: false, authenticate },
      subscribe: () => 'x',
    }),
  )
  const { url, errors, told } = await openWatched(t, hub, app)
  t.is((await openStream(url, { headers })).status, 503)
  t.is(errors.length, 1)
  return told()
}

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

for (const [name, secret, headers] of [
  ['a Basic password', 'correct-horse', { authorization: basic('ada:correct-horse') }],
  ['a short Basic password', 'horse', { authorization: basic('ada:horse') }],
  ['a Basic password with a colon', 'corr:ect', { authorization: basic('ada:corr:ect') }],
  ['a parameter', 'lettersonly', { authorization: 'Token token=lettersonly, b=2' }],
  ['a quoted parameter', 'letters "only"', { authorization: 'Digest username="ada", response="letters \\"only\\""' }],
  ['a key without a scheme', 'correct-horse', { authorization: 'correct-horse' }],
  ['a key in a header of its own', 'correct-horse', { 'X-Api-Key': 'correct-horse' }],
  ['a token in a header of its own', 'correct-horse', { 'X-Auth-Token': 'correct-horse' }],
  ['a secret in a header of its own', 'correct-horse', { 'x-client-secret': 'correct-horse' }],
  ['a password for a proxy', 'correct-horse', { 'proxy-authorization': basic('ada:correct-horse') }],
  ['a token for a proxy', 'correct-horse', { 'proxy-authorization': 'Bearer correct-horse' }],
  ['a quoted cookie', 'key-of-a-cookie', { cookie: 'a=1; sid="key-of-a-cookie"' }],
  ['a part of a signed cookie', 'key-of-a-cookie', { cookie: 'sid=s%3Akey-of-a-cookie.signature' }],
] as const) {
  test(`${name} does not show in what an authenticator fails with`, async t => {
    const text = await toldOf(t, headers, `bind of ada with ${secret} failed`)
    t.false(text.includes(secret))
    t.regex(text, /bind of ada with \[hidden\] failed/)
  })
}

test('words that a client has put into its cookies or a short credential hide nothing from the operator', async t => {
  const cookie = 'a=connect; b=ECONNREFUSED; c=database; d=Internal; e=user'
  const message = 'connect ECONNREFUSED to the user database, Internal'
  t.true((await toldOf(t, { cookie, authorization: 'Bearer user' }, message)).includes(message))
})

/** A store whose every question fails, and says what it was asked. */
function brokenStore(): KeyValueStore {
  const fail = (...asked: unknown[]) => Promise.reject(failure(...asked))
  return { set: fail, get: fail, take: fail }
}

function brokerWith(store: KeyValueStore): Broker {
  const broker = memoryBroker({ clock })
  return new Proxy(broker, {
    get: (target, property) => {
      if (property === 'store') return store
      const value: unknown = Reflect.get(target, property, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

test('the store of tickets and revoked tokens fails: neither shows', async t => {
  const hub = createHub({ clock, broker: brokerWith(brokenStore()) })
  const held = { ...jwt, identify: () => ({ id: 'ada' }) }
  const tickets = urlTicket({ hub, audience: 'x', authenticate: bearerToken(held) })
  const stream = eventStream({
    hub,
    authenticate: [tickets, queryToken(jwt), bearerToken(jwt)],
    subscribe: () => 'news',
  })
  const app = new Koa()
  app.use(ctx => (ctx.path === '/ticket' ? tickets.issue(ctx) : stream(ctx)))
  const { url, errors, told } = await openWatched(t, hub, app)
  const code = 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq'
  const headers = { authorization: `Bearer ${token}` }
  t.is((await openStream(`${url}?ticket=${code}`)).status, 503)
  t.is((await openStream(`${url}?access_token=${token}`)).status, 503)
  t.is((await openStream(url, { headers })).status, 503)
  t.is((await openStream(`${url}/ticket`, { method: 'POST', headers })).status, 503)
  for (const work of [
    () => hub.isRevoked('the-id-of-the-token'),
    () => hub.revoke('the-id-of-the-token', clock.now() + 60_000),
    () => hub.disconnect({ session: 'the-key-of-the-session' }),
  ]) {
    await work().catch((error: unknown) => errors.push(error))
  }
  t.true(errors.length >= 7)
  const text = await told()
  for (const secret of [code, ...token.split('.').slice(1), 'the-id-of', 'the-key-of'])
    t.false(text.includes(secret), secret)
})

test('a ticket in the store that cannot be read is not quoted', async t => {
  const junk = async () => '{"iban":"DE89"} junk'
  const hub = createHub({ clock, broker: brokerWith({ set: async () => {}, get: junk, take: junk }) })
  const tickets = urlTicket({ hub, audience: 'x', authenticate: bearerToken(jwt) })
  const app = new Koa()
  app.use(eventStream({ hub, authenticate: tickets, subscribe: () => 'news' }))
  const { url, errors, told } = await openWatched(t, hub, app)
  t.is((await openStream(`${url}?ticket=${'a'.repeat(43)}`)).status, 503)
  t.is(errors.length, 1)
  t.notRegex(await told(), /iban|DE89|junk/)
})

test('a session store fails: neither the key nor what it holds shows', async t => {
  const hub = createHub({ clock, broker: memoryBroker({ clock }) })
  const sessions = new Map<string, unknown>()
  let isDown = false
  const asked = (...args: unknown[]) => {
    if (isDown) throw failure(...args.map(arg => (typeof arg === 'string' ? arg : JSON.stringify(arg))))
  }
  const raw = {
    get: async (key: string) => {
      asked(key, sessions.get(key))
      return sessions.get(key)
    },
    set: async (key: string, data: unknown) => {
      asked(key, data)
      sessions.set(key, structuredClone(data))
    },
    destroy: async (key: string) => {
      asked(key)
      sessions.delete(key)
    },
  }
  for (const store of [watchSessions(raw, hub), raw]) {
    isDown = false
    const app = new Koa({ keys: ['k'] })
    const mount = eventStream({
      hub,
      authenticate: sessionCookie({
        identify: (data: { userId?: string }) => data.userId && { id: data.userId },
        revalidate: 30_000,
        clock,
      }),
      subscribe: () => {
        isDown = true
        return 'news'
      },
    })
    app.use(session({ store, prefix: 'session:' }, app))
    app.use(async (ctx, next) => {
      if (ctx.path !== '/login') return next()
      ctx.session.userId = 'ada'
      ctx.session.iban = 'DE89370400440532013000'
      ctx.body = 'in'
    })
    app.use(mount)
    const { url, errors, told } = await openWatched(t, hub, app)
    const ada = new Visitor(url)
    await ada.visit('/login')
    const [key = ''] = [...sessions.keys()].slice(-1)
    t.regex(key, /^session:/)
    t.is((await ada.openStream('/')).status, 503, 'the store fails when the login is asked about again')
    // Without the wrapper koa-session's own look is not ours to make safe.
    if (store !== raw) {
      await ada.visit('/')
      await Promise.resolve(store.destroy(key)).catch((error: unknown) => errors.push(error))
      await Promise.resolve(store.set(key, { iban: 'DE89370400440532013000' })).catch((error: unknown) =>
        errors.push(error),
      )
    }
    t.true(errors.length > 0)
    const text = await told()
    for (const secret of [key, key.slice('session:'.length), 'DE8937']) t.false(text.includes(secret), secret)
  }
})

test('the store fails while a stream is open: the fault shows no key', async t => {
  const hub = createHub({ clock, broker: memoryBroker({ clock }) })
  let isDown = false
  const user = stateUser({
    ambient: false,
    clock,
    revalidate: 1_000,
    identify: () => ({ id: 'ada', session: 'the-key-of-the-session', token: 'the-id-of-the-token' }),
    holds: ({ session, token: id }) => (isDown ? Promise.reject(failure(session, id)) : true),
  })
  const app = new Koa()
  app.use(async (ctx, next) => {
    ctx.state.user = { id: 'ada' }
    await next()
  })
  app.use(eventStream({ hub, authenticate: user, subscribe: () => 'news' }))
  const { url, told } = await openWatched(t, hub, app)
  const stream = await openStream(url)
  t.is(stream.status, 200)
  isDown = true
  const faulted = new Promise(resolve => hub.once('fault', resolve))
  clock.advance(5_000)
  await faulted
  stream.close()
  t.notRegex(await told(), /the-key-of|the-id-of/)
})

test('what routes ask of the application about a login fails: neither its session nor its token shows', async t => {
  const hub = createHub({ clock, broker: memoryBroker({ clock }) })
  // Words that only those who know them can tell from others, and that no request carries.
  const secrets = { session: 'correct-horse-battery', token: 'purple-monkey-dishwasher' }
  const fail = (): never => {
    throw failure(...Object.values(secrets))
  }
  const authenticate: Authenticator = {
    scheme: 'x',
    challenge: 'X',
    ambient: false,
    authenticate: () => createIdentity({ id: 'ada', scheme: 'x', ...secrets }),
    resume: fail,
    forget: fail,
  }
  const login = { hub, authenticate }
  const router = new Router()
    .post('/publish', publishRoute({ ...login, may: fail }))
    .post('/topics', subscriptionRoute({ ...login, may: fail }))
    .all('/ops{/*rest}', opsRoutes({ ...login, may: fail }))
    .get('/page', requireIdentity(login), ctx => (ctx.body = 'in'))
    .get('/refused', eventStream({ ...login, subscribe: (_, ctx) => void (ctx.status = 403) }))
  const app = new Koa()
  app.use(router.routes())
  const { url, errors, told } = await openWatched(t, hub, app)
  const post = (body: object) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  for (const [path, status, faults, init] of [
    ['/publish', 503, 2, post({ topics: 'a', data: 1 })],
    ['/topics', 503, 2, post({ stream: 'x', subscribe: ['a'] })],
    ['/ops/', 503, 2],
    ['/ops/streams', 503, 2],
    ['/ops/actions', 503, 2, post({ type: 'cut', stream: 'x' })],
    ['/ops/events', 503, 1],
    ['/ops/trace?identity=bob', 503, 1],
    ['/page', 200, 1],
    ['/refused', 403, 1],
  ] as const) {
    const before = errors.length
    const response = await fetch(`${url}${path}`, init)
    t.is(response.status, status, path)
    t.notRegex(await response.text(), /correct-horse|purple-monkey/, path)
    t.true(errors.length - before >= faults, `${path}: ${errors.length - before} errors`)
  }
  t.notRegex(await told(), /correct-horse|purple-monkey/)
})

test('a login that works: its credentials and its events’ data show in no metric and no trace', async t => {
  const hub = createHub({ clock, broker: memoryBroker({ clock }) })
  const app = new Koa()
  const authenticate = [queryToken(jwt), bearerToken(jwt)]
  app.use(eventStream({ hub, authenticate, subscribe: () => 'news' }))
  const { url, spans, told } = await openWatched(t, hub, app)
  const streams = [
    await openStream(`${url}?access_token=${token}`),
    await openStream(url, { headers: { authorization: `Bearer ${token}`, cookie: 'sid=key-of-a-cookie' } }),
  ]
  await hub.publish('news', { event: 'note', data: 'what-is-in-the-event' })
  for (const stream of streams) await stream.next(({ event }) => event === 'note')
  await hub.revoke('the-id-of-the-token', clock.now() + 60_000)
  for (const stream of streams) await stream.closed
  t.true(spans.getFinishedSpans().length >= 3)
  const text = await told()
  for (const secret of [...token.split('.').slice(1), 'key-of-a-cookie', 'the-id-of', 'what-is-in']) {
    t.false(text.includes(secret), secret)
  }
})
