// Every way in which Redis can lose history: all tests share one server.
import test from 'ava'
import type { Redis } from 'ioredis'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { callsOf, connectAdmin, isCursor, openEngine, openInstance, publish, until, untilRedis } from './instance.ts'
import { openRedisProxy } from './redis-proxy.ts'

let server: RedisServer
test.before(async () => {
  server = await startRedis()
})
test.after.always(() => server.stop())

let logs = 0
/** The options of a log of its own. */
const ownLog = () => ({ client: server.url, name: `log-${++logs}` })

const LOSSES: [what: string, lose: (admin: Redis, name: string) => Promise<unknown>][] = [
  ['the log’s hash is deleted', (admin, name) => admin.del(`{${name}}:log`)],
  ['all keys are deleted', async (admin, name) => admin.del(await admin.keys(`{${name}}:*`))],
]

for (const [what, lose] of LOSSES) {
  test(`${what}: streams are told of a gap, and get every event after it`, async t => {
    const log = ownLog()
    const instance = await openInstance(t, log)
    const other = await openInstance(t, log)
    const admin = connectAdmin(t, server)
    const [both, one] = [await instance.open(['a', 'b']), await other.open(['b'])]
    const old = await instance.hub.publish(['a', 'b'], { data: 'before' })
    for (const stream of [both, one]) await until(stream, 'before')
    await lose(admin, log.name)
    await instance.hub.publish('a', { data: 'first' })
    await instance.hub.publish('b', { data: 'second' })
    t.deepEqual(await until(both, 'second'), ['before', 'gap: epoch', 'first', 'second'])
    t.deepEqual(await until(one, 'second'), ['before', 'gap: epoch', 'second'])
    const again = await instance.open(['a', 'b'], old)
    await again.next(isCursor)
    await instance.hub.publish('b', { data: 'third' })
    t.deepEqual(await until(again, 'third'), ['gap: epoch', 'third'])
  })
}

test('the clock is stepped back and the log is deleted: a gap, and nothing of the life before comes again', async t => {
  const log = ownLog()
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, log, ['a', 'b'])
  // The log is ahead of the clock, as it is when the clock was set back.
  await publish(broker, 'b', 'x')
  await admin.hincrby(`{${log.name}}:log`, 'seq', 3_600_000_000)
  const old = await publish(broker, 'a', '1', '2', '3')
  await recorder.until(old[2] ?? '')
  t.deepEqual(recorder.gaps, [], 'a step back of the clock alone is none')
  await admin.del(`{${log.name}}:log`)
  const first = await publish(broker, 'b', '4')
  await recorder.until(first[0] ?? '')
  await broker.load(['a'], 0)
  t.deepEqual(broker.read('a', 0, 10).events, [])
  const second = await publish(broker, 'a', '5')
  const heard = await recorder.until(second[0] ?? '')
  t.deepEqual(heard.slice(1), [...old, ...first, ...second])
  t.deepEqual(recorder.gaps, [{ topics: ['a', 'b'], reason: 'epoch' }])
})

test('Redis is flushed: a gap with the next event', async t => {
  const own = await startRedis(t)
  const instance = await openInstance(t, { client: own.url })
  const stream = await instance.open(['a'])
  await stream.next(isCursor)
  await connectAdmin(t, own).flushall()
  await instance.hub.publish('a', { data: 'first' })
  t.deepEqual(await until(stream, 'first'), ['gap: epoch', 'first'])
})

test('a copy of an earlier life of the log is restored: a gap, and live', async t => {
  const log = ownLog()
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, log, ['a'])
  const hash = `{${log.name}}:log`
  const first = await publish(broker, 'a', '1')
  await recorder.until(first[0] ?? '')
  await admin.copy(hash, 'copy')
  await admin.del(hash)
  const second = await publish(broker, 'a', '2')
  await recorder.until(second[0] ?? '')
  await admin.copy('copy', hash, 'REPLACE')
  // That life has not got its first event any more: this instance knows, and has another one begun.
  await publish(broker, 'a', '3')
  const [fourth = ''] = await publish(broker, 'a', '4')
  const heard = await recorder.until(fourth)
  t.deepEqual(heard.slice(0, 2), [...first, ...second])
  t.is(heard.at(-1), fourth)
  t.true(recorder.gaps.length >= 2)
  t.is(`${broker.position().epoch}-`, fourth.replace(/[^-]*$/, ''))
})

test('a topic’s events are evicted: living streams lose nothing, and who comes back to another instance is told', async t => {
  const log = ownLog()
  const [instance, other] = [await openInstance(t, log), await openInstance(t, log)]
  const stream = await instance.open(['a'])
  const { id: start } = await stream.next(isCursor)
  await instance.hub.publish('a', { data: '1' })
  await until(stream, '1')
  // Eviction is a deletion that nobody asked for.
  await connectAdmin(t, server).del(`{${log.name}}:events:a`)
  const kept = await instance.hub.publish('a', { data: '2' })
  t.deepEqual(await until(stream, '2'), ['1', '2'])
  const strangers = [await other.open(['a'], start), await other.open(['a'], kept), await instance.open(['a'], start)]
  await instance.hub.publish('a', { data: '3' })
  const [early, late, remembered] = await Promise.all(strangers.map(stranger => until(stranger, '3')))
  t.deepEqual(early, ['gap: trimmed', '2', '3'])
  t.deepEqual(late, ['3'])
  t.deepEqual(remembered, ['1', '2', '3'], 'the instance itself has it all')
})

test('a topic’s events are evicted: those that come after have an end, as what is known of the last one has', async t => {
  const log = ownLog()
  const { broker } = await openEngine(t, log, ['a'])
  const admin = connectAdmin(t, server)
  await publish(broker, 'a', '1')
  const ends = async (key: string) => admin.pexpiretime(`{${log.name}}:${key}:a`)
  const end = await ends('events')
  await publish(broker, 'a', '2')
  t.is(await ends('events'), end, 'it is not moved with each event')
  t.is(await ends('last'), end + 1_000)
  await admin.del(`{${log.name}}:events:a`)
  await publish(broker, 'a', '3')
  t.true((await ends('events')) >= end)
  t.true((await ends('last')) > (await ends('events')))
})

test('events are evicted that an instance has itself: it goes on serving them, also when somebody asks for more', async t => {
  const log = ownLog()
  const [instance, other] = [await openInstance(t, log), await openInstance(t, log)]
  await other.tells('ready')
  const start = await other.hub.cursor()
  const first = await other.hub.publish('a', { data: '1' })
  const stream = await instance.open(['a'])
  await stream.next(isCursor)
  const second = await other.hub.publish('a', { data: '2' })
  await other.hub.publish('a', { data: '3' })
  await until(stream, '3')
  await connectAdmin(t, server).del(`{${log.name}}:events:a`)
  for (const [cursor, expected] of [
    [start, ['gap: trimmed', '2', '3', '4']],
    [first, ['2', '3', '4', '5']],
    [second, ['3', '4', '5', '6']],
  ] as const) {
    const resumed = await instance.open(['a'], cursor)
    const last = expected.at(-1) ?? ''
    await other.hub.publish('a', { data: last })
    t.deepEqual(await until(resumed, last), expected)
  }
})

test('events are evicted while an instance is away: a gap, the rest, and live', async t => {
  const proxy = await openRedisProxy(server.port, t)
  const log = ownLog()
  const { broker, recorder } = await openEngine(t, { ...log, client: proxy.url }, ['a', 'b'])
  const elsewhere = await openEngine(t, log)
  const before = await publish(elsewhere.broker, 'a', '1')
  await recorder.until(before[0] ?? '')
  proxy.cut()
  await publish(elsewhere.broker, 'a', '2', '3')
  const other = await publish(elsewhere.broker, 'b', '4')
  await connectAdmin(t, server).del(`{${log.name}}:events:a`)
  const after = await publish(elsewhere.broker, 'a', '5')
  proxy.mend()
  t.deepEqual(await recorder.until(after[0] ?? ''), [...before, ...other, ...after])
  t.deepEqual(recorder.gaps, [{ topics: ['a'], reason: 'trimmed' }])
  t.true(broker.read('a', 0, 10).trimmed)
})

test('a cursor from before what is kept: a gap, all that is kept, and live', async t => {
  const log = { ...ownLog(), history: { count: 5 } }
  const [writer, reader] = [await openInstance(t, log), await openInstance(t, log)]
  const first = await (await reader.open(['a', 'quiet'])).next(isCursor)
  for (let n = 1; n <= 20; n += 1) await writer.hub.publish('a', { data: String(n) })
  const live: string[] = []
  for (const instance of [writer, reader]) {
    const stream = await instance.open(['a', 'quiet'], first.id)
    await stream.next(isCursor)
    const gap = stream.received.find(({ event }) => event === 'gap')
    t.deepEqual(JSON.parse(gap?.data ?? ''), { topics: ['a'], reason: 'trimmed' })
    const last = `live ${live.length}`
    live.push(last)
    await writer.hub.publish('quiet', { data: last })
    t.deepEqual(await until(stream, last), ['gap: trimmed', '16', '17', '18', '19', '20', ...live])
  }
})

test('what is known of a topic’s last event is evicted: who may have missed something is told', async t => {
  const log = ownLog()
  const [instance, other] = [await openInstance(t, log), await openInstance(t, log)]
  const admin = connectAdmin(t, server)
  const living = await instance.open(['a'])
  const { id: start } = await living.next(isCursor)
  await instance.hub.publish('a', { data: '1' })
  await until(living, '1')
  await admin.del(`{${log.name}}:last:a`)
  const reader = await other.open(['a'], start)
  await reader.next(isCursor)
  await instance.hub.publish('a', { data: '2' })
  t.deepEqual(await until(reader, '2'), ['gap: trimmed', '2'])
  await instance.hub.publish('a', { data: '3' })
  t.deepEqual(await until(reader, '3'), ['gap: trimmed', '2', '3'])
})

test('a topic that fell silent is forgotten after its age, and living streams go on without a gap or a question', async t => {
  // Long enough for a busy machine to lose and mend a connection within it.
  const log = { ...ownLog(), history: { age: 8_000 }, watchdog: 100 }
  const proxy = await openRedisProxy(server.port, t)
  const [instance, other] = [await openInstance(t, { ...log, client: proxy.url }), await openInstance(t, log)]
  const admin = connectAdmin(t, server)
  const stream = await instance.open(['spoke', 'never'])
  await stream.next(isCursor)
  await other.hub.publish('spoke', { data: '1' })
  await until(stream, '1')
  const isForgotten = async () => {
    const keys = await admin.keys(`{${log.name}}:*`)
    return keys.some(key => /:(events|last):/.test(key)) ? undefined : true
  }
  await untilRedis(isForgotten, 'something is remembered of the topic')
  const reads = await callsOf(admin, 'xrange')
  await other.hub.publish('never', { data: '2' })
  await other.hub.publish('spoke', { data: '3' })
  t.deepEqual(await until(stream, '3'), ['1', '2', '3'])
  t.is(await callsOf(admin, 'xrange'), reads)

  await untilRedis(isForgotten, 'something is remembered of the topics')
  proxy.cut()
  await instance.tells('lost')
  await other.hub.publish('spoke', { data: '4' })
  proxy.mend()
  t.deepEqual(await until(stream, '4'), ['1', '2', '3', '4'], 'a short absence costs nobody a gap')
})

test('an instance that was away for longer than the age cannot tell what it missed, and says so', async t => {
  const log = { ...ownLog(), history: { age: 1_000 } }
  const proxy = await openRedisProxy(server.port, t)
  const [instance, other] = [await openInstance(t, { ...log, client: proxy.url }), await openInstance(t, log)]
  const admin = connectAdmin(t, server)
  const stream = await instance.open(['a'])
  await stream.next(isCursor)
  proxy.cut()
  await instance.tells('lost')
  await other.hub.publish('a', { data: 'missed' })
  const isGone = async () => ((await admin.exists(`{${log.name}}:last:a`)) === 0 ? true : undefined)
  await untilRedis(isGone, 'the event is still remembered')
  proxy.mend()
  await instance.tells('ready', 2)
  await other.hub.publish('a', { data: 'heard' })
  t.deepEqual(await until(stream, 'heard'), ['gap: trimmed', 'heard'])
})

test('publishers and instances of different ages: nobody takes what was forgotten for lost', async t => {
  const log = ownLog()
  const [brief, long] = [await openInstance(t, { ...log, history: { age: 100 } }), await openInstance(t, log)]
  const admin = connectAdmin(t, server)
  const stream = await long.open(['a'])
  await stream.next(isCursor)
  await brief.hub.publish('a', { data: '1' })
  await until(stream, '1')
  const isGone = async () => ((await admin.exists(`{${log.name}}:last:a`)) === 0 ? true : undefined)
  await untilRedis(isGone, 'the event is still remembered')
  await long.hub.publish('a', { data: '2' })
  t.deepEqual(await until(stream, '2'), ['1', '2'])
})

test('scripts are flushed: publishing goes on, in order and once each', async t => {
  const { broker, recorder } = await openEngine(t, ownLog(), ['a'])
  const admin = connectAdmin(t, server)
  const ids: string[] = []
  for (let round = 0; round < 5; round += 1) {
    await admin.script('FLUSH')
    ids.push(...(await Promise.all(Array.from({ length: 20 }, () => publish(broker, 'a', 'x')))).flat())
  }
  t.deepEqual(await recorder.until(ids.at(-1) ?? ''), ids)
  t.deepEqual(recorder.gaps, [])
})
