// Faults of the connections to Redis: the tests share the helpers that count and await lost sessions.
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { EventStreamError } from '../../lib/errors.ts'
import { openEndpoint } from '../koa/endpoint.ts'
import type { Hub } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { eventually } from '../support/eventually.ts'
import { startRedis } from '../support/redis-server.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import {
  callsOf,
  connectAdmin,
  isCursor,
  openEngine,
  openInstance,
  publish,
  until,
  untilRedis,
  type Instance,
} from './instance.ts'
import { openRedisProxy } from './redis-proxy.ts'

const TIMES = { timeout: 5_000, watchdog: 200 }
// Where it counts how often the connection is lost, a busy machine must not be taken for a dead server.
const PATIENT = { timeout: 5_000, watchdog: 1_000 }
const LOGOUT = { identity: 'ann' }

test('the connections meet different servers: what is acknowledged comes, or the instance says that it is lost', async t => {
  const [old, promoted] = [await startRedis(t), await startRedis(t)]
  const admin = connectAdmin(t, old)
  const proxy = await openTcpProxy(old.port, t)
  const { broker, recorder } = await openEngine(t, { ...TIMES, client: proxy.url.replace('http', 'redis') }, ['news'])
  await recorder.until((await publish(broker, 'news', 'before'))[0] ?? '')
  // The subscriber alone is moved: the other connections live on where they are.
  proxy.target = promoted.port
  await admin.client('KILL', 'TYPE', 'PUBSUB')
  await recorder.untilReady(false)
  await recorder.untilReady()
  const elsewhere = await openEngine(t, { client: promoted.url })
  const [id = ''] = await publish(elsewhere.broker, 'news', 'acknowledged')
  await recorder.until(id)
  t.deepEqual(recorder.gaps, [{ topics: ['news'], reason: 'epoch' }])
})

test('Redis takes no writes: the instance is not ready though nobody publishes, and says so once', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const instance = await openInstance(t, { ...PATIENT, client: server.url })
  await instance.tells('ready')
  await admin.config('SET', 'maxmemory', '1')
  await lostFor(instance, /maxmemory/)
  for (let n = 0; n < 3; n += 1) await t.throwsAsync(instance.hub.publish('a', { data: 'x' }), { code: 'ERR_BROKER' })
  t.is(lossesFor(instance, /maxmemory/), 1)
  await admin.config('SET', 'maxmemory', '0')
  await ready(instance)
  t.is(lossesFor(instance, /maxmemory/), 1)
  await instance.hub.publish('a', { data: 'x' })
})

const REFUSALS: [
  what: string,
  refuse: (admin: Redis) => Promise<unknown>,
  allow: (admin: Redis) => Promise<unknown>,
][] = [
  [
    'scripts are not allowed',
    admin => admin.acl('SETUSER', 'default', '-@scripting'),
    admin => admin.acl('SETUSER', 'default', '+@scripting'),
  ],
  [
    'the log is a key of another kind',
    admin => admin.set('{events}:log', 'somebody’s'),
    admin => admin.del('{events}:log'),
  ],
]

for (const [what, refuse, allow] of REFUSALS) {
  test(`${what}: it is told once, however often it is tried, and comes right by itself`, async t => {
    const server = await startRedis(t)
    const admin = connectAdmin(t, server)
    await refuse(admin)
    const instance = await openInstance(t, { ...PATIENT, client: server.url })
    await instance.tells('lost')
    const attempts = async () => Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))?.[1])
    const before = await attempts()
    await untilRedis(async () => ((await attempts()) >= before + 6 ? true : undefined), 'it is not tried again')
    t.is(instance.told.filter(({ name }) => name === 'lost').length, 1)
    await allow(admin)
    await instance.tells('ready')
    const stream = await instance.open(['a'])
    await stream.next(isCursor)
    await instance.hub.publish('a', { data: 'hello' })
    t.deepEqual(await until(stream, 'hello'), ['hello'])
  })
}

/** How often the hub has told that the broker is lost for this reason: a busy machine may have others. */
function lossesFor({ told }: Instance, reason: RegExp): number {
  const reasons = told.map(({ about }) => (about !== undefined && 'error' in about ? String(about.error) : ''))
  return reasons.filter((text, index) => told[index]?.name === 'lost' && reason.test(text)).length
}

/** Waits until the broker is lost for this reason. */
async function lostFor(instance: Instance, reason: RegExp): Promise<void> {
  await eventually(
    () => !instance.hub.ready && lossesFor(instance, reason) > 0,
    () => `the broker was not lost for ${String(reason)}: ${JSON.stringify(instance.told)}`,
  )
}

async function ready({ hub, told }: Instance): Promise<void> {
  await eventually(
    () => hub.ready,
    () => `the broker did not come back: ${JSON.stringify(told)}`,
  )
}

/** Resolves when instances have looked some times more whether all is well. */
async function untilLookedAt(admin: Redis): Promise<void> {
  const before = await callsOf(admin, 'exists')
  await untilRedis(async () => ((await callsOf(admin, 'exists')) >= before + 5 ? true : undefined), 'nobody looks')
}

for (const command of ['xadd', 'set']) {
  test(`${command} is not allowed any more: the instance is not ready, says so once with the reason, and comes right`, async t => {
    const server = await startRedis(t)
    const admin = connectAdmin(t, server)
    const instance = await openInstance(t, { ...PATIENT, client: server.url })
    await instance.tells('ready')
    await admin.acl('SETUSER', 'default', `-${command}`)
    await lostFor(instance, /can't run this command/)
    await untilLookedAt(admin)
    t.is(lossesFor(instance, /can't run this command/), 1)
    await admin.acl('SETUSER', 'default', `+${command}`)
    await ready(instance)
    await instance.hub.publish('a', { data: 'x' })
  })
}

test('a topic’s key is of another kind: publishes to it reject, and the instance stays ready', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const instance = await openInstance(t, { ...PATIENT, client: server.url })
  await instance.tells('ready')
  await instance.hub.publish('a', { data: 'x' })
  await admin.set('{events}:events:a', 'somebody’s')
  for (let n = 0; n < 3; n += 1) {
    await t.throwsAsync(instance.hub.publish('a', { data: 'x' }), { code: 'ERR_BROKER', message: /WRONGTYPE/ })
    await instance.hub.publish('b', { data: 'x' })
    await untilLookedAt(admin)
  }
  t.is(lossesFor(instance, /WRONGTYPE/), 0)
  t.true(instance.hub.ready)
})

test('that the instance looks whether all is well leaves nothing in Redis', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  await openEngine(t, { ...TIMES, client: server.url })
  const before = await admin.hgetall('{events}:log')
  await untilLookedAt(admin)
  t.deepEqual(await admin.hgetall('{events}:log'), before)
  t.deepEqual(await admin.keys('*:probe'), [])
})

/** Ends the newest connection, which is that for history, and lets Redis take no other in its place. */
async function refuseHistory(admin: Redis): Promise<void> {
  const ids = [...String(await admin.client('LIST')).matchAll(/^id=(\d+)/gm)].map(([, id]) => Number(id))
  await admin.config('SET', 'maxclients', String(ids.length - 1))
  await admin.client('KILL', 'ID', Math.max(...ids))
}

test('history cannot be read since Redis takes no more clients: the instance is not ready and says why, and streams go on', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const { broker } = await openEngine(t, { ...TIMES, client: server.url })
  const proxy = await openRedisProxy(server.port, t)
  const instance = await openInstance(t, { ...TIMES, client: proxy.url })
  await instance.tells('ready')
  const stream = await instance.open(['news'])
  await stream.next(isCursor)
  await refuseHistory(admin)
  // Redis often closes the connection before it is heard what it has to say: then that is the reason.
  const reason = /connect for history: (.*max number of clients|Connection is closed|write E)/
  await lostFor(instance, reason)
  await publish(broker, 'news', 'live')
  t.deepEqual(await until(stream, 'live'), ['live'])
  await admin.config('SET', 'maxclients', '1000')
  await ready(instance)
  t.is(lossesFor(instance, reason), 1)
})

test('much is to be caught up: it comes page by page, and publishing goes on meanwhile', async t => {
  const server = await startRedis(t)
  const proxy = await openRedisProxy(server.port, t)
  const topics = Array.from({ length: 10 }, (_, n) => `t${n}`)
  const { broker, recorder } = await openEngine(t, { ...TIMES, client: proxy.url }, topics)
  const elsewhere = await openEngine(t, { client: server.url })
  proxy.cut()
  await recorder.untilReady(false)
  const missed: string[] = []
  for (const topic of topics)
    missed.push(...(await publish(elsewhere.broker, topic, 'x'.repeat(200_000), 'y'.repeat(200_000))))
  proxy.mend()
  const own = eventually(
    () => publish(broker, 'else', 'own').then(Boolean, () => false),
    () => 'nothing can be published',
  )
  await recorder.untilReady()
  await own
  const last = await publish(elsewhere.broker, 't0', 'last')
  t.deepEqual(await recorder.until(last[0] ?? ''), [...missed, ...last])
  t.deepEqual(recorder.gaps, [])
})

function becomesReady(hub: Hub, ready = true): Promise<void> {
  return eventually(
    () => hub.ready === ready,
    () => `the hub has not become ${ready ? 'ready' : 'lost'}`,
  )
}

/** An endpoint for ann, whose login nobody can be asked about, behind a proxy; and somebody who logs her out elsewhere. */
async function openStreams(t: ExecutionContext) {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const proxy = await openRedisProxy(server.port, t)
  const broker = redisBroker({ ...TIMES, client: proxy.url })
  const endpoint = await openEndpoint(t, {}, { hub: { broker } })
  const { broker: elsewhere } = await openEngine(t, { client: server.url })
  const becomes = (ready: boolean) => becomesReady(endpoint.hub, ready)
  await becomes(true)
  const logOut = (filter: { identity?: string; token?: string } = LOGOUT) =>
    elsewhere.announce({ type: 'disconnect', ...filter, reason: 'logout' })
  return { ...endpoint, admin, proxy, becomes, logOut }
}

const LOSSES: [what: string, lose: (admin: Redis) => Promise<unknown>][] = [
  ['deleted', admin => admin.del('{events}:announcements')],
  ['expired', admin => admin.pexpire('{events}:announcements', 1)],
  ['trimmed', admin => admin.xtrim('{events}:announcements', 'MAXLEN', 0)],
  ['flushed', admin => admin.flushall()],
]

for (const [what, lose] of LOSSES) {
  test(`log-outs are ${what} while an instance is away: streams whose login cannot be asked about end`, async t => {
    const { open, admin, proxy, becomes, logOut, hub } = await openStreams(t)
    const stream = await open()
    await stream.next(isCursor)
    proxy.cut()
    await becomes(false)
    await logOut()
    await lose(admin)
    proxy.mend()
    await stream.next(({ event, data }) => event === 'goaway' && data === '{"reason":"unverifiable"}')
    await becomes(true)
    t.is(hub.stats().closed.unverifiable, 1)
  })
}

for (const when of ['before', 'after'] as const) {
  test(`a fail-over loses a log-out, which shows ${when} an instance is back that was away: it fails closed`, async t => {
    const { open, admin, proxy, becomes, logOut, hub } = await openStreams(t)
    const stream = await open()
    await stream.next(isCursor)
    proxy.cut()
    await becomes(false)
    await logOut()
    // As on a replica that has not got it.
    const [[lost] = ['']] = await admin.xrevrange('{events}:announcements', '+', '-', 'COUNT', 1)
    await admin.xdel('{events}:announcements', lost)
    const [subscriber = ''] = await subscribersOf(admin)
    const isNoticed = async () => {
      const entries = await admin.xrange('{events}:announcements', '-', '+')
      return entries.some(([, fields]) => fields.includes('{"type":"forgotten"}')) ? true : undefined
    }
    if (when === 'after') {
      proxy.mend()
      await becomes(true)
    }
    await admin.client('KILL', 'ID', subscriber)
    await untilRedis(isNoticed, 'nobody has noticed that the log-out is lost')
    if (when === 'before') proxy.mend()
    await stream.next(({ event, data }) => event === 'goaway' && data === '{"reason":"unverifiable"}')
    await becomes(true)
    t.is(hub.stats().closed.unverifiable, 1)
  })
}

/** Connections that listen. */
async function subscribersOf(admin: Redis): Promise<string[]> {
  const text = String(await admin.client('LIST'))
  return [...text.matchAll(/^id=(\d+) .* sub=[1-9]/gm)].map(([, id = '']) => id)
}

test('a log-out while Redis is full reaches who is away at the time: the instance knows that it missed some', async t => {
  const { open, admin, proxy, becomes, logOut } = await openStreams(t)
  const stream = await open()
  await stream.next(isCursor)
  proxy.cut()
  await becomes(false)
  await admin.config('SET', 'maxmemory', '1')
  await logOut()
  await admin.config('SET', 'maxmemory', '0')
  proxy.mend()
  await stream.next(({ event }) => event === 'goaway')
  await stream.closed
  t.pass()
})

test('log-outs that are found again end who they mean, and nobody else', async t => {
  const { open, proxy, becomes, logOut, hub } = await openStreams(t)
  const streams = [await open(), await open({ headers: { 'x-user': 'ben' } })]
  for (const stream of streams) await stream.next(isCursor)
  proxy.cut()
  await becomes(false)
  await logOut()
  proxy.mend()
  await becomes(true)
  await streams[0]?.closed
  t.is(hub.stats().streams, 1)
  t.is(hub.stats().closed.logout, 1)
})

test('a token is revoked while Redis is full: its streams end everywhere, and the caller hears what did not work', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, { client: server.url })
  const { hub } = await openInstance(t, { client: server.url })
  t.true(broker.ready)
  await becomesReady(hub)
  await admin.config('SET', 'maxmemory', '1')
  await t.throwsAsync(hub.revoke('jti', Date.now() + 60_000), {
    instanceOf: EventStreamError,
    message: /streams of the token are closed/,
  })
  t.deepEqual(await recorder.untilMessages(1), [{ type: 'disconnect', token: 'jti', reason: 'revoked' }])
})

test('places that are given back while Redis is away are free once it is back', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const proxy = await openRedisProxy(server.port, t)
  const broker = redisBroker({ ...TIMES, client: proxy.url })
  const limits = { shared: { identity: 5 } }
  const { open, hub, isEmpty } = await openEndpoint(t, { limits }, { hub: { broker } })
  await becomesReady(hub)
  const stream = await open()
  await stream.next(isCursor)
  const taken = () => admin.zcard('{events}:places:identity:ann')
  t.is(await taken(), 1)
  proxy.cut()
  await becomesReady(hub, false)
  stream.close()
  await isEmpty()
  t.is(await taken(), 1)
  proxy.mend()
  await untilRedis(async () => ((await taken()) === 0 ? true : undefined), 'the place is still taken')
})
