import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import redisStore from 'koa-redis'
import { createHub, watchSessions } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { openSite, type Data, type SiteOptions } from '../session/site.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { PATIENCE } from '../support/progress.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import type { Visitor } from '../support/visitor.ts'

/** An instance as in production: its hub and its sessions are in Redis, by connections of its own. */
async function openInstance(
  t: ExecutionContext,
  server: RedisServer,
  options: SiteOptions & { sessions?: RedisServer; timeout?: number } = {},
) {
  const { sessions = server, timeout = PATIENCE, ...rest } = options
  // As ioredis is by default: what it is asked waits for as long as Redis is away.
  const client = new Redis(sessions.url)
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  const hub = rest.hub ?? createHub({ broker: redisBroker({ client: server.url, timeout: PATIENCE, watchdog: 200 }) })
  t.teardown(() => hub.close())
  const store = watchSessions(redisStore<Data>({ client }), hub, { timeout })
  return openSite(t, {
    login: { revalidate: 3_600_000, timeout },
    ...rest,
    hub,
    session: { store, prefix: 'session:' },
  })
}

/** The same browser on another instance. */
function withCookiesOf(visitor: Visitor, other: Visitor): Visitor {
  for (const [name, value] of other.cookies) visitor.cookies.set(name, value)
  return visitor
}

test('logging out on one instance closes the streams of that session on all, and no others', async t => {
  const server = await startRedis(t)
  const [one, two] = [await openInstance(t, server), await openInstance(t, server)]
  const [ada, eve] = [await one.loggedIn('ada'), await two.loggedIn('eve')]
  const elsewhere = withCookiesOf(two.visitor(), ada)
  const streams = [await ada.openStream(), await elsewhere.openStream()]
  const others = [await eve.openStream(), await (await two.loggedIn('ada')).openStream()]
  await ada.visit('/logout')
  for (const stream of streams) t.is(await stream.closed, 'end')
  for (const site of [one, two]) t.like(site.closes, [{ reason: 'logout' }])
  t.is((await elsewhere.openStream()).status, 401)
  await one.hub.publish('news', { data: 'still here' })
  for (const stream of others) t.like(await stream.next(({ event }) => event === 'message'), { data: 'still here' })
})

test('a session that gets another key loses its streams on all instances', async t => {
  const server = await startRedis(t)
  const [one, two] = [await openInstance(t, server), await openInstance(t, server)]
  const ada = await one.loggedIn('ada')
  const stream = await withCookiesOf(two.visitor(), ada).openStream()
  await ada.visit('/regenerate?user=ada')
  t.is(await stream.closed, 'end')
})

test('an instance that was cut off when somebody logged out closes the streams once it is back', async t => {
  const server = await startRedis(t)
  const [one, two] = [await openInstance(t, server), await openInstance(t, server)]
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const ada = await one.loggedIn('ada')
  // Only an announcement can end it in the time of a test.
  const stream = await withCookiesOf(two.visitor(), ada).openStream()
  await stream.next(({ event }) => event === 'cursor')
  const lost = once(two.hub, 'lost')
  await admin.client('KILL', 'TYPE', 'PUBSUB')
  await lost
  await ada.visit('/logout')
  t.is(await stream.closed, 'end')
  t.like(two.closes, [{ reason: 'logout' }])
})

test('a Redis without memory left still tells the other instances', async t => {
  const server = await startRedis(t)
  const sessions = await startRedis(t)
  const [one, two] = [await openInstance(t, server, { sessions }), await openInstance(t, server, { sessions })]
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const ada = await one.loggedIn('ada')
  const stream = await withCookiesOf(two.visitor(), ada).openStream()
  await stream.next(({ event }) => event === 'cursor')
  await admin.config('SET', 'maxmemory', '1')
  await t.throwsAsync(one.hub.publish('news', { data: 'x' }), { message: /OOM/ })
  await ada.visit('/logout')
  t.is(await stream.closed, 'end')
  t.like(two.closes, [{ reason: 'logout' }])
})

for (const [how, fail] of [
  ['down', (server: RedisServer) => server.stop()],
  ['frozen', async (server: RedisServer) => server.pause()],
] as const) {
  test(`the session store is ${how}: 503 in time, for streams and for pages; open streams live on`, async t => {
    const [server, sessions] = [await startRedis(t), await startRedis(t)]
    const site = await openInstance(t, server, { sessions, timeout: 2_000 })
    const ada = await site.loggedIn('ada')
    const stream = await ada.openStream()
    await stream.next(({ event }) => event === 'cursor')
    await fail(sessions)
    for (const path of ['/events', '/page', '/logout']) {
      const answer = await ada.visit(path)
      t.is(answer.status, 503, path)
      t.is(await answer.text(), 'Service Unavailable')
    }
    const errors = site.errors.splice(0)
    t.is(errors.length, 3)
    for (const error of errors) t.like(error, { code: 'ERR_SESSION_STORE' })
    t.is(site.hub.stats().streams, 1)
    t.is((await site.visitor().openStream()).status, 401, 'without a cookie there is nothing to ask')
    await site.hub.publish('news', { data: 'still here' })
    t.like(await stream.next(({ event }) => event === 'message'), { data: 'still here' })
  })

  test(`the session store is ${how} during revalidation: a grace, and then the stream is closed`, async t => {
    const sessions = await startRedis(t)
    const clock = new ManualClock(Date.now())
    const hub = createHub({ clock })
    const site = await openInstance(t, sessions, { hub, login: { clock, grace: 60_000 }, stream: { heartbeat: false } })
    const ada = await site.loggedIn('ada')
    const stream = await ada.openStream()
    await fail(sessions)
    const start = clock.now()
    while (site.closes.length === 0 && clock.now() < start + 600_000) {
      clock.advance(1_000)
      await new Promise(setImmediate)
    }
    t.is(await stream.closed, 'end')
    t.like(site.closes, [{ reason: 'unverifiable' }])
    t.true(clock.now() - start >= 60_000, 'not before the grace is over')
    t.true(site.faults.length > 1)
    for (const { during } of site.faults) t.is(during, 'revalidation')
  })
}
