import { EventEmitter, once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import redisStore from 'koa-redis'
import type { Context, Middleware } from 'koa'
import type { CreateSessionOptions } from 'koa-session'
import { createHub, memoryBroker, watchSessions, type Hub } from 'koa-event-stream'
import { openSite, type Data, type Site } from './session/site.ts'
import { ManualClock } from './support/manual-clock.ts'
import { Pause } from './support/pause.ts'
import { PATIENT } from './support/progress.ts'
import { startRedis } from './support/redis-server.ts'

/** A store as a class of today: private fields, an accessor, methods on the prototype, a base class. */
class PrivateStore extends EventEmitter {
  readonly #sessions = new Map<string, Data>()
  #prefix = ''

  get prefix(): string {
    return this.#prefix
  }

  set prefix(prefix: string) {
    this.#prefix = prefix
  }

  get size(): number {
    return this.#sessions.size
  }

  async get(key: string): Promise<Data | undefined> {
    return this.#sessions.get(this.#prefix + key)
  }

  async set(key: string, data: Data): Promise<void> {
    this.#sessions.set(this.#prefix + key, data)
    this.emit('stored')
  }

  async destroy(key: string): Promise<void> {
    this.#sessions.delete(this.#prefix + key)
  }
}

/** Ada, on a site with such sessions, has a stream. */
async function openStream(t: ExecutionContext, hub: Hub, session: CreateSessionOptions) {
  const site: Site = await openSite(t, { hub, session })
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream()
  t.is(stream.status, 200)
  return { ...site, ada, stream }
}

test('a store with private fields works through the wrapper, which closes the streams of what it destroys', async t => {
  const hub = createHub()
  const store = new PrivateStore()
  const watched = watchSessions(store, hub)
  for (const path of ['/logout', '/regenerate?user=ada']) {
    const { ada, stream, closes } = await openStream(t, hub, { store: watched })
    await ada.visit(path)
    t.is(await stream.closed, 'end')
    t.is(closes.at(-1)?.reason, 'logout')
  }
  t.is(store.size, 1)
})

test('everything else of the store is as it was', async t => {
  const store = new PrivateStore()
  const watched = watchSessions(store, createHub())
  t.true(watched instanceof PrivateStore)
  t.true('prefix' in watched)
  watched.prefix = 'p:'
  t.is(store.prefix, 'p:')
  const stored = once(watched, 'stored')
  await watched.set('key', { userId: 'ada' })
  await stored
  t.is(watched.size, 1)
  t.deepEqual(await watched.get('key'), { userId: 'ada' })
  await watched.destroy('key')
  t.is(store.size, 0)
})

test('a frozen store and one whose destroy answers at once are no less watched', async t => {
  const hub = createHub()
  const sessions = new Map<string, Data>()
  const store = Object.freeze({
    get: (key: string) => sessions.get(key),
    set: (key: string, data: Data) => sessions.set(key, data),
    destroy: (key: string): unknown => sessions.delete(key),
  })
  const watched = watchSessions(store, hub)
  sessions.set('key', { userId: 'ada' })
  t.deepEqual(watched.get('key'), { userId: 'ada' })
  t.true(await watched.destroy('key'))
  t.is(sessions.size, 0)
})

test('koa-redis', async t => {
  const server = await startRedis(t)
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  const hub = createHub()
  for (const path of ['/logout', '/regenerate?user=ada']) {
    const store = watchSessions(redisStore<Data>({ client }), hub, PATIENT)
    const { ada, stream } = await openStream(t, hub, { store })
    await ada.visit(path)
    t.is(await stream.closed, 'end')
  }
  t.is(await client.dbsize(), 1)
})

test('a store that cannot destroy says so; the session lives on, and so do its streams', async t => {
  const hub = createHub()
  const store = new PrivateStore()
  store.destroy = () => Promise.reject(new Error('connection refused'))
  const { ada, stream, errors } = await openStream(t, hub, { store: watchSessions(store, hub) })
  t.is((await ada.visit('/logout')).status, 503)
  t.like(errors.splice(0), [{ code: 'ERR_SESSION_STORE', cause: { message: 'connection refused' } }])
  await hub.publish('news', { data: 'still here' })
  t.like(await stream.next(({ event }) => event === 'message'), { data: 'still here' })
})

test('a broker that cannot tell the others keeps nobody from logging out, and is reported', async t => {
  const broker = memoryBroker()
  broker.announce = () => Promise.reject(new Error('connection refused'))
  const hub = createHub({ broker })
  const { ada, stream, faults } = await openStream(t, hub, { store: watchSessions(new PrivateStore(), hub) })
  t.is((await ada.visit('/logout')).status, 200)
  t.is(await stream.closed, 'end')
  t.like(faults, [{ during: 'watchSessions', error: { message: 'connection refused' } }])
})

test('a log-out after the hub has closed is a log-out', async t => {
  const hub = createHub()
  const site = await openSite(t, { hub, session: { store: watchSessions(new PrivateStore(), hub) } })
  const ada = await site.loggedIn('ada')
  await hub.close()
  t.is((await ada.visit('/logout')).status, 200)
})

test('a session that is destroyed after the deadline closes its streams then', async t => {
  const clock = new ManualClock(Date.now())
  const hub = createHub({ clock })
  const store = new PrivateStore()
  const pause = new Pause()
  const { ada, stream, errors } = await openStream(t, hub, { store: watchSessions(store, hub) })
  const { destroy } = store
  store.destroy = async key => {
    await pause.wait()
    return destroy.call(store, key)
  }
  const loggedOut = ada.visit('/logout')
  await pause.reached
  clock.advance(2_000)
  t.is((await loggedOut).status, 503)
  t.like(errors.splice(0), [{ code: 'ERR_SESSION_STORE', message: 'the session store did not answer in time' }])
  pause.end()
  t.is(await stream.closed, 'end')
})

test('whatever the store throws is a 503, without a word to the client', async t => {
  const hub = createHub()
  const store = new PrivateStore()
  const { ada, errors } = await openStream(t, hub, { store: watchSessions(store, hub) })
  const error = new Error('wrong password')
  for (const get of [
    () => Promise.reject(error),
    () => {
      throw error
    },
    () => ({
      get then(): never {
        throw error
      },
    }),
  ]) {
    store.get = get as () => never
    for (const path of ['/page', '/events']) {
      const answer = await ada.visit(path)
      t.is(answer.status, 503)
      t.is(await answer.text(), 'Service Unavailable')
      t.like(errors.splice(0), [{ code: 'ERR_SESSION_STORE', cause: error }])
    }
  }
})

test('a wrong option is a TypeError that names it', t => {
  const store = new PrivateStore()
  t.throws(() => watchSessions(store, createHub(), { timeout: 0 }), { instanceOf: TypeError, message: /`timeout`/ })
  const misspelt = { timeuot: 1 } as object
  t.throws(() => watchSessions(store, createHub(), misspelt), { instanceOf: TypeError, message: /`timeuot`/ })
})

test('who logs out without a session ends nothing: nothing is announced, and nothing is marked', async t => {
  const broker = memoryBroker()
  const told: string[] = []
  const { announce } = broker
  const { set } = broker.store
  broker.announce = message => {
    told.push('announcement')
    return announce.call(broker, message)
  }
  broker.store.set = (...args) => {
    told.push('mark')
    return set.apply(broker.store, args)
  }
  const hub = createHub({ broker })
  const site = await openSite(t, { hub, session: { store: watchSessions(new PrivateStore(), hub) } })
  const nobody = site.visitor()
  for (const path of ['/logout', '/regenerate?user=ada']) await nobody.visit(path)
  const stranger = site.visitor()
  stranger.cookies.set('koa.sess', 'made-up')
  await stranger.visit('/logout')
  t.deepEqual(told, [])
  await nobody.visit('/logout')
  t.true(told.includes('announcement'))
})

test('a session of another is destroyed with the context of a request: its streams end, whatever the request has met', async t => {
  const hub = createHub()
  const sessions = new PrivateStore()
  const store = watchSessions(sessions, hub)
  let others: string | undefined
  const inner: Middleware = async (ctx: Context, next) => {
    if (ctx.path !== '/logout-others') return next()
    await store.destroy(others ?? '', ...([{ ctx }] as unknown as []))
    ctx.body = 'done'
  }
  for (const isLoggedIn of [true, false]) {
    const site = await openSite(t, { hub, session: { store }, inner })
    hub.once('open', ({ stream }) => (others = stream.identity?.session))
    const phone = await site.loggedIn('ada')
    const stream = await phone.openStream()
    const laptop = isLoggedIn ? await site.loggedIn('ada') : site.visitor()
    t.is((await laptop.visit('/logout-others')).status, 200)
    t.is(await stream.closed, 'end')
    t.is(site.closes.at(-1)?.reason, 'logout')
    t.is((await phone.openStream()).status, 401)
  }
})
