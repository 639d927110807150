import test, { type ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import type { Subscription } from 'koa-event-stream'
import type { CreateSessionOptions } from 'koa-session'
import { CountingStore } from '../auth/session/site.ts'
import { raw } from '../support/http.ts'
import { Pause } from '../support/pause.ts'
import type { ReceivedStream } from '../support/received-stream.ts'
import type { Visitor } from '../support/visitor.ts'
import { openSite, type Site, type SiteOptions } from './site.ts'

interface Scene extends Site {
  readonly store: CountingStore
  readonly ada: Visitor
  /** Has the resolver answer, and answers what came of the request. */
  finish(): Promise<ReceivedStream>
}

/** Ada is logged in, has asked for a stream, and the resolver takes its time. */
async function openScene(
  t: ExecutionContext,
  options: CreateSessionOptions,
  { answer = () => 'news', ...site }: { answer?: () => Subscription } & Omit<SiteOptions, 'session' | 'stream'> = {},
): Promise<Scene> {
  const store = new CountingStore()
  const pause = new Pause()
  const subscribe = async () => {
    await pause.wait()
    return answer()
  }
  const opened = await openSite(t, { ...site, session: { store, ...options }, stream: { subscribe } })
  const ada = await opened.loggedIn('ada')
  hasten(store, options)
  const request = ada.openStream()
  await pause.reached
  const finish = () => {
    pause.end()
    return request
  }
  return { ...opened, store, ada, finish }
}

/** Brings a session that is to be renewed into the second half of its life. */
function hasten(store: CountingStore, { renew = false }: CreateSessionOptions): void {
  if (renew) for (const data of store.sessions.values()) data._expire = Date.now() + 20_000
}

/** koa-session writes each of these at the end of a request: because it says so, is half over, or was changed. */
const writing: [string, CreateSessionOptions, Middleware?][] = [
  ['rolling', { rolling: true }],
  ['renewed', { renew: true, maxAge: 60_000 }],
  [
    'changed',
    {},
    (ctx, next) => {
      if (ctx.path === '/events') ctx.session.seen = 'events'
      return next()
    },
  ],
]

const forbid = (): never => {
  throw Object.assign(new Error('not for you'), { status: 403, expose: true })
}

for (const [kind, options, inner] of writing) {
  const site = inner && { inner }

  test(`${kind}: a log-out meanwhile gets no stream, and the session stays gone`, async t => {
    const { store, hub, url, finish, ada, refusals } = await openScene(t, options, site)
    const { cookie } = ada
    await ada.visit('/logout')
    const refused = await finish()
    t.is(refused.status, 401)
    t.is(refused.headers['www-authenticate'], 'Cookie realm="events"')
    t.deepEqual([...store.sessions], [])
    t.is((await fetch(`${url}/events`, { headers: { cookie } })).status, 401)
    t.like(hub.stats(), { streams: 0, opened: 0, topics: 0 })
    t.is(refusals[0]?.reason, 'unauthenticated')
  })

  test(`${kind}: nor is it created again when the resolver refuses, or has nothing to say`, async t => {
    for (const [answer, status] of [
      [forbid, 403],
      [() => null, 204],
    ] as const) {
      const { store, ada, finish } = await openScene(t, options, { ...site, answer })
      await ada.visit('/logout')
      t.is((await finish()).status, status)
      t.deepEqual([...store.sessions], [])
    }
  })

  test(`${kind}: nor when the browser has left for the log-out page`, async t => {
    const store = new CountingStore()
    const pause = new Pause()
    const committed = new Pause()
    const subscribe = async () => {
      await pause.wait()
      return 'news'
    }
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next()
      if (ctx.path === '/events') void committed.wait()
    })
    const opened = await openSite(t, { app, ...site, session: { store, ...options }, stream: { subscribe } })
    const ada = await opened.loggedIn('ada')
    hasten(store, options)
    const leaving = await raw(Number(new URL(opened.url).port))
    leaving.write(`GET /events HTTP/1.1\r\nHost: x\r\nCookie: ${ada.cookie}\r\n\r\n`)
    await pause.reached
    leaving.close()
    await ada.visit('/logout')
    pause.end()
    await committed.reached
    t.deepEqual([...store.sessions], [])
  })
}

for (const options of [{ rolling: true }, { renew: true, maxAge: 60_000 }]) {
  test(`a login that lives on survives a refusal, and is not prolonged by it: ${Object.keys(options).join()}`, async t => {
    const { store, finish, ada } = await openScene(t, options, { answer: forbid })
    const { writes } = store
    const refused = await finish()
    t.is(refused.status, 403)
    t.is(refused.headers['set-cookie'], undefined)
    t.is(store.writes, writes)
    t.is(store.sessions.size, 1)
    t.is((await ada.visit('/page')).status, 200)
  })
}

test('another user’s login into the session meanwhile stands, and gets no stream of the former user', async t => {
  const { store, finish, ada } = await openScene(t, { rolling: true })
  await ada.visit('/login?user=eve')
  t.is((await finish()).status, 401)
  t.like([...store.sessions.values()], [{ userId: 'eve' }])
})

test('a session that was regenerated meanwhile gets no stream under its old key', async t => {
  const { store, finish, ada } = await openScene(t, { rolling: true })
  await ada.visit('/regenerate?user=ada')
  t.is((await finish()).status, 401)
  t.like([...store.sessions.values()], [{ userId: 'ada' }])
})

test('a store that cannot tell after the resolver is no login: 503', async t => {
  const { store, finish, hub, refusals } = await openScene(t, {})
  store.get = () => Promise.reject(new Error('connection refused'))
  const refused = await finish()
  t.is(refused.status, 503)
  t.is(await refused.text(), 'Service Unavailable')
  t.like(refusals, [{ reason: 'unavailable', status: 503, error: { message: 'connection refused' } }])
  t.is(hub.stats().streams, 0)
})

test('a session whose own request made it is not taken for a dead one', async t => {
  const store = new CountingStore()
  const inner: Middleware = (ctx, next) => {
    ctx.session.userId = 'ada'
    return next()
  }
  const site = await openSite(t, { session: { store }, inner, stream: { subscribe: forbid } })
  t.is((await site.visitor().openStream()).status, 403)
  t.like([...store.sessions.values()], [{ userId: 'ada' }])
})
