import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { createHub } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { openApi } from '../jwt/api.ts'
import { eventually } from '../support/eventually.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

const HOUR = 3_600_000

/** An instance with a hub of its own, as it is after a while: ready. */
async function openInstance(t: ExecutionContext, server: RedisServer) {
  const hub = createHub({ broker: redisBroker({ client: server.url, timeout: 5_000, watchdog: 200 }) })
  t.teardown(() => hub.close())
  if (!hub.ready) await once(hub, 'ready')
  return openApi(t, { hub, clock: new ManualClock(Date.now()) })
}

async function openInstances(t: ExecutionContext) {
  const server = await startRedis(t)
  const admin = new Redis(server.url)
  admin.on('error', () => {})
  t.teardown(() => admin.disconnect())
  return { server, admin, one: await openInstance(t, server), two: await openInstance(t, server) }
}

test('a token that is revoked on one instance gets 401 on all, and its streams close; no others do', async t => {
  const { one, two, admin } = await openInstances(t)
  const token = one.token({ jti: 'lost' })
  const streams = [await one.open(token), await two.open(token)]
  const kept = await two.open(two.token({ jti: 'kept' }))
  await one.hub.revoke('lost', one.clock.now() + HOUR)
  for (const stream of streams) t.is(await stream.closed, 'end')
  for (const { closes } of [one, two]) t.like(closes, [{ reason: 'revoked' }])
  for (const { open, hub } of [one, two]) {
    const refused = await open(token)
    t.is(refused.status, 401)
    t.regex(refused.headers['www-authenticate'] ?? '', /error="invalid_token"/)
    t.true(await hub.isRevoked('lost'))
    t.false(await hub.isRevoked('kept'))
  }
  await one.hub.publish('news', { data: 'still here' })
  t.like(await kept.next(({ event }) => event === 'message'), { data: 'still here' })
  const [key = ''] = await admin.keys('*lost*')
  const ttl = await admin.pttl(key)
  t.true(ttl > 0 && ttl <= HOUR, 'it is remembered for as long as the token would be good')
})

test('an instance that starts later knows, too', async t => {
  const { server, one } = await openInstances(t)
  await one.hub.revoke('lost', one.clock.now() + HOUR)
  const three = await openInstance(t, server)
  t.is((await three.open(three.token({ jti: 'lost' }))).status, 401)
})

test('an instance that was cut off when a token was revoked closes its streams once it is back', async t => {
  const { admin, one, two } = await openInstances(t)
  const stream = await two.open(two.token({ jti: 'lost' }))
  await stream.next(({ event }) => event === 'cursor')
  const lost = once(two.hub, 'lost')
  await admin.client('KILL', 'TYPE', 'PUBSUB')
  await lost
  await one.hub.revoke('lost', one.clock.now() + HOUR)
  t.is(await stream.closed, 'end')
  t.like(two.closes, [{ reason: 'revoked' }])
})

test('a revocation that a fail-over has lost is written again by the instance that made it', async t => {
  const { server, admin, one } = await openInstances(t)
  await one.hub.revoke('lost', one.clock.now() + HOUR)
  const lost = once(one.hub, 'lost')
  await admin.del(...(await admin.keys('*lost*')))
  t.true(await one.hub.isRevoked('lost'))
  await admin.client('KILL', 'TYPE', 'PUBSUB')
  await lost
  if (!one.hub.ready) await once(one.hub, 'ready')
  await eventually(
    async () => (await admin.keys('*lost*')).length === 1,
    () => 'It was not written again',
  )
  const three = await openInstance(t, server)
  t.is((await three.open(three.token({ jti: 'lost' }))).status, 401)
})

test('so does one that was frozen out for longer, in the order of what it missed', async t => {
  const { server, one, two } = await openInstances(t)
  const tokens = ['a', 'b', 'c'].map(jti => two.token({ jti }))
  const streams = []
  for (const token of tokens) streams.push(await two.open(token))
  const lost = [once(one.hub, 'lost'), once(two.hub, 'lost')]
  server.pause()
  await Promise.all(lost)
  await t.throwsAsync(one.hub.revoke('a', one.clock.now() + HOUR), { code: 'ERR_BROKER' })
  const ready = once(one.hub, 'ready')
  server.resume()
  await ready
  for (const jti of ['a', 'b', 'c']) await one.hub.revoke(jti, one.clock.now() + HOUR)
  for (const stream of streams) t.is(await stream.closed, 'end')
  t.deepEqual(
    two.closes.map(({ stream }) => stream.identity?.token),
    ['a', 'b', 'c'],
  )
})

test('whoever is disconnected on one instance is on all, by identity and by token', async t => {
  const { one, two } = await openInstances(t)
  const ada = await two.open(two.token({ sub: 'ada', jti: '1' }))
  const eve = await two.open(two.token({ sub: 'eve', jti: '2' }))
  await one.hub.disconnect({ identity: 'ada' })
  t.is(await ada.closed, 'end')
  await one.hub.disconnect({ token: '2' }, 'done')
  t.is(await eve.closed, 'end')
  t.deepEqual(
    two.closes.map(({ reason }) => reason),
    ['server', 'done'],
  )
})

for (const [how, fail] of [
  ['down', (server: RedisServer) => server.stop()],
  ['frozen', async (server: RedisServer) => server.pause()],
] as const) {
  test(`Redis is ${how}: nobody can tell whether a token was revoked, which is a 503, and to revoke one fails`, async t => {
    const { server, one } = await openInstances(t)
    const lost = once(one.hub, 'lost')
    await fail(server)
    await lost
    const refused = await one.open(one.token({ jti: 'unknown' }))
    t.is(refused.status, 503)
    t.is(refused.headers['www-authenticate'], undefined)
    await t.throwsAsync(one.hub.revoke('unknown', one.clock.now() + HOUR), { code: 'ERR_BROKER' })
    await t.throwsAsync(one.hub.isRevoked('unknown'), { code: 'ERR_BROKER' })
  })
}
