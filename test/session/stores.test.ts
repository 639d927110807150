import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import type { Context } from 'koa'
import redisStore from 'koa-redis'
import type { CreateSessionOptions } from 'koa-session'
import { createHub, watchSessions } from 'koa-event-stream'
import { CountingStore } from '../auth/session/site.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { PATIENCE, PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { lookUps } from './look-ups.ts'
import { openSite, type Data } from './site.ts'

/** The sessions of a site in a Redis of its own, set up as for production. */
async function openRedisStore(t: ExecutionContext) {
  const server = await startRedis(t)
  const client = new Redis(server.url, { maxRetriesPerRequest: 1, commandTimeout: PATIENCE })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return { server, client, store: redisStore<Data>({ client }) }
}

test('koa-redis: log in, stream, log out, on two servers', async t => {
  const { client, store } = await openRedisStore(t)
  const hub = createHub()
  const options = {
    hub,
    session: { store: watchSessions(store, hub, PATIENT), prefix: 'session:', rolling: true },
    login: PATIENT,
  }
  const [one, two] = [await openSite(t, options), await openSite(t, options)]
  const ada = await one.loggedIn('ada')
  const elsewhere = two.visitor()
  for (const [name, value] of ada.cookies) elsewhere.cookies.set(name, value)
  const streams = [await ada.openStream(), await elsewhere.openStream()]
  await hub.publish('news', { data: 'hello' })
  for (const stream of streams) t.like(await stream.next(({ event }) => event === 'message'), { data: 'hello' })

  await ada.visit('/logout')
  for (const stream of streams) t.is(await stream.closed, 'end')
  t.is((await elsewhere.openStream()).status, 401)
  t.deepEqual(await client.keys('*'), [])
})

test('koa-redis: a stream ends when its session is gone from Redis, by expiry or by hand', async t => {
  const { client, store } = await openRedisStore(t)
  const clock = new ManualClock(Date.now())
  const hub = createHub({ clock })
  const site = await openSite(t, { hub, session: { store }, login: { clock } })
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream()
  await client.flushdb()
  await lookUps(clock, store)
  t.is(await stream.closed, 'end')
  t.like(site.closes, [{ reason: 'logout' }])
})

test('koa-redis: without its Redis an open stream lives on within the grace', async t => {
  const { server, store } = await openRedisStore(t)
  const clock = new ManualClock(Date.now())
  const hub = createHub({ clock })
  const site = await openSite(t, { hub, session: { store }, login: { clock } })
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream()
  const fault = new Promise(resolve => hub.once('fault', resolve))
  await server.stop()
  await lookUps(clock, store)
  t.like(await fault, { during: 'revalidation' })
  await hub.publish('news', { data: 'still here' })
  t.like(await stream.next(({ event }) => event === 'message'), { data: 'still here' })
})

test('cookie-only: the stream ends with the cookie, and a log-out elsewhere cannot end it', async t => {
  const clock = new ManualClock(Date.now())
  const hub = createHub({ clock })
  const site = await openSite(t, { hub, session: { maxAge: 20_000 }, login: { clock } })
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream()
  await ada.visit('/logout')
  t.is((await ada.openStream()).status, 401)
  clock.advance(19_000)
  t.deepEqual(site.closes, [])
  clock.advance(3_000)
  t.is(await stream.closed, 'end')
  t.like(site.closes, [{ reason: 'expired' }])
})

test('a ContextStore, a key of one’s own and commits by hand: log in, stream, and the end of the session', async t => {
  const sessions = new CountingStore()
  class ContextStore {
    get(key: string) {
      return sessions.get(key)
    }
    set(key: string, data: Record<string, unknown>) {
      return sessions.set(key, data)
    }
    destroy(key: string) {
      return sessions.destroy(key)
    }
  }
  const externalKey = {
    get: (ctx: Context) => ctx.cookies.get('own') ?? '',
    set: (ctx: Context, key: string) => {
      ctx.cookies.set('own', key)
    },
  }
  const variants: CreateSessionOptions[] = [
    { ContextStore },
    { store: sessions, externalKey, rolling: true },
    { store: sessions, autoCommit: false },
  ]
  for (const session of variants) {
    const clock = new ManualClock(Date.now())
    const hub = createHub({ clock })
    const site = await openSite(t, { hub, session, login: { clock } })
    const ada = await site.loggedIn('ada')
    const stream = await ada.openStream()
    await stream.next(({ event }) => event === 'cursor')
    t.is(sessions.sessions.size, 1)
    sessions.sessions.clear()
    await lookUps(clock, sessions)
    t.is(await stream.closed, 'end')
    t.is((await ada.openStream()).status, 401)
    t.is(sessions.sessions.size, 0)
  }
})
