import test from 'ava'
import type { Middleware } from 'koa'
import { CountingStore } from '../auth/session/site.ts'
import { koaVersions } from '../support/koa-versions.ts'
import { openStream } from '../support/http.ts'
import { openSite } from './site.ts'

for (const [version, Koa] of koaVersions) {
  test(`${version}: who is logged in gets a stream, and its events`, async t => {
    const site = await openSite(t, { app: new Koa(), session: { store: new CountingStore() } })
    const stream = await (await site.loggedIn('ada')).openStream()
    t.is(stream.status, 200)
    await stream.next(({ event }) => event === 'cursor')
    await site.hub.publish('news', { data: 'hello' })
    t.like(await stream.next(), { event: 'message', data: 'hello' })
  })

  test(`${version}: without a login the resolver is not asked, no place is taken, and a 401 says why`, async t => {
    const store = new CountingStore()
    let asked = 0
    const subscribe = () => {
      asked += 1
      return 'news'
    }
    const site = await openSite(t, { app: new Koa(), session: { store }, stream: { subscribe } })

    const unknown = await site.loggedIn('ada')
    store.sessions.clear()
    const expired = await site.loggedIn('eve')
    for (const data of store.sessions.values()) data._expire = Date.now() - 1
    const forged = site.visitor()
    forged.cookies.set('koa.sess', store.sessions.keys().next().value ?? '')
    const anonymous = await site.loggedIn('')

    const before = store.writes
    for (const visitor of [site.visitor(), unknown, expired, forged, anonymous]) {
      const refused = await visitor.openStream()
      t.is(refused.status, 401)
      t.is(refused.headers['www-authenticate'], 'Cookie realm="events"')
      t.is(refused.headers['cache-control'], 'no-store')
      t.is(refused.headers['set-cookie'], undefined)
      t.is(await refused.text(), 'Unauthorized')
    }
    t.is(asked, 0)
    t.is(store.writes, before)
    t.like(site.hub.stats(), { streams: 0, identities: 0, addresses: 0, opened: 0, refused: { unauthenticated: 5 } })
  })

  test(`${version}: the cookie of a rolling session comes with the headers of the stream`, async t => {
    const store = new CountingStore()
    const site = await openSite(t, { app: new Koa(), session: { store, rolling: true } })
    const ada = await site.loggedIn('ada')
    const { cookie } = ada
    const stream = await ada.openStream()
    t.is(stream.headers['set-cookie']?.length, 2, 'the cookie and its signature')
    t.is(ada.cookie, cookie)
    t.is(store.writes, 2)
    await stream.next()
  })
}

test('a session that is only read is not written, while its stream is open and when it ends', async t => {
  const store = new CountingStore()
  const site = await openSite(t, { session: { store } })
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream()
  t.is(stream.headers['set-cookie'], undefined)
  await stream.next()
  await site.hub.disconnect({ identity: 'ada' })
  t.is(await stream.closed, 'end')
  t.is(store.writes, 1)
})

test('what the resolver puts into the session is saved', async t => {
  const store = new CountingStore()
  const site = await openSite(t, {
    session: { store },
    stream: {
      subscribe: (_, ctx) => {
        ctx.session.watching = 'news'
        return 'news'
      },
    },
  })
  await (await site.loggedIn('ada')).openStream()
  const [data] = store.sessions.values()
  t.like(data, { userId: 'ada', watching: 'news' })
})

test('HEAD looks once more whether the session is there, as a GET does, and writes nothing', async t => {
  const store = new CountingStore()
  const site = await openSite(t, { session: { store } })
  const ada = await site.loggedIn('ada')
  const { writes } = store
  await ada.visit('/page')
  const reads = store.reads
  const head = await openStream(`${site.url}/events`, { method: 'HEAD', headers: { cookie: ada.cookie } })
  t.is(head.status, 200)
  // koa-session's own look, and ours.
  t.is(store.reads, reads + 2)
  t.is(store.writes, writes)
  t.like(site.hub.stats(), { streams: 0, opened: 0 })
})

test('HEAD of a session that is gone meanwhile is refused as a GET is, and does not bring it back', async t => {
  const store = new CountingStore()
  const inner: Middleware = (ctx, next) => {
    if (ctx.path === '/events') store.sessions.clear()
    return next()
  }
  const site = await openSite(t, { session: { store, rolling: true }, inner })
  for (const method of ['GET', 'HEAD']) {
    const ada = await site.loggedIn('ada')
    const answer = await openStream(`${site.url}/events`, { method, headers: { cookie: ada.cookie } })
    t.is(answer.status, 401, method)
    t.is(answer.headers['www-authenticate'], 'Cookie realm="events"')
    t.is(answer.headers['set-cookie'], undefined)
    t.is(store.sessions.size, 0)
  }
})
