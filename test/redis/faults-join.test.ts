import test from 'ava'
import type { ReceivedStream } from '../support/http.ts'
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
const ownLog = (client = server.url) => ({ client, name: `log-${++logs}` })

test('streams that open while events are published at full speed get each event from their cursor on once', async t => {
  const log = { ...ownLog(), history: { count: 5_000 } }
  const instance = await openInstance(t, log)
  const { broker } = await openEngine(t, log)
  const first = await instance.open(['a', 'b'])
  const start = await first.next(isCursor)
  const topics = ['a', 'b', 'a,b']
  const texts = Array.from({ length: 1_500 }, (_, n) => `${n} ${topics[n % 3] ?? ''}`)
  const published = Promise.all(
    texts.map(async (text, n) => {
      if (n % 50 === 0) await new Promise(resolve => setImmediate(resolve))
      return instance.hub.publish((topics[n % 3] ?? '').split(','), { data: text })
    }),
  )
  // A few at a time, all along the way; some bring a topic that the instance has to ask for.
  const streams: ReceivedStream[] = []
  for (let n = 0; n < 60; n += 6) {
    const some = [n, n + 1, n + 2, n + 3, n + 4, n + 5].map(client =>
      instance.open(['a', 'b', ...(client % 3 === 0 ? [`new-${client}`] : [])], start.id),
    )
    streams.push(...(await Promise.all(some)))
  }
  await published
  await publish(broker, 'a', 'end')
  const expected = await until(first, 'end')
  t.is(expected.length, texts.length + 1)
  t.is(new Set(expected).size, expected.length)
  for (const stream of streams) t.deepEqual(await until(stream, 'end'), expected)
})

test('an event of several topics is not lost on a stream that opens when it has come on the first of them', async t => {
  const proxy = await openRedisProxy(server.port, t)
  const log = ownLog(proxy.url)
  const instance = await openInstance(t, log)
  const { broker } = await openEngine(t, { ...log, client: server.url })
  const witness = await instance.open(['a', 'b'])
  const { id } = await witness.next(isCursor)
  const kept = proxy.keepFrom(`{${log.name}}:topic:b`)
  await broker.publish(['a', 'b'], Buffer.from('data: both\n\n'))
  await kept.reached
  await until(witness, 'both')
  const stream = await instance.open(['b'], id)
  await stream.next(isCursor)
  kept.release()
  await publish(broker, 'b', 'end')
  t.deepEqual(await until(stream, 'end'), ['both', 'end'])
  t.deepEqual(await until(witness, 'end'), ['both', 'end'])
})

test('a log that begins anew between the question and its answer is noticed', async t => {
  const proxy = await openRedisProxy(server.port, t)
  const log = ownLog(proxy.url)
  const { broker, recorder } = await openEngine(t, log, ['known'])
  const admin = connectAdmin(t, server)
  // The subscriber’s answer that all has arrived, by when the log has been read.
  const kept = proxy.keepFrom('+PONG')
  const subscribed = broker.subscribe('new')
  await kept.reached
  await admin.del(`{${log.name}}:log`)
  const ids = await publish(broker, 'new', 'x')
  kept.release()
  await subscribed
  t.deepEqual(await recorder.until(ids[0] ?? ''), ids)
  t.deepEqual(recorder.gaps, [{ topics: ['known', 'new'], reason: 'epoch' }])
})

test.serial('a client that is ahead of its new instance is not told of a gap', async t => {
  const proxy = await openRedisProxy(server.port, t)
  const log = { ...ownLog(proxy.url), watchdog: 600_000 }
  const admin = connectAdmin(t, server)
  const [behind, ahead] = [await openInstance(t, log), await openInstance(t, { ...log, client: server.url })]
  await (await behind.open(['a'])).next(isCursor)
  const client = await ahead.open(['a'])
  const kept = proxy.keepFrom(`{${log.name}}:topic:a`)
  const id = await ahead.hub.publish('a', { data: 'seen' })
  await until(client, 'seen')
  await kept.reached
  const asked = await callsOf(admin, 'ping')
  const opening = behind.open(['a'], id)
  await untilRedis(async () => (await callsOf(admin, 'ping')) > asked || undefined, 'the instance did not ask')
  kept.release()
  const stream = await opening
  await ahead.hub.publish('a', { data: 'new' })
  t.deepEqual(await until(stream, 'new'), ['new'])
})

test('a client that knows of a new life of the log before its new instance does is not told of a gap', async t => {
  const log = ownLog()
  const [behind, ahead] = [await openInstance(t, log), await openInstance(t, log)]
  const witness = await behind.open(['b'])
  await witness.next(isCursor)
  const client = await ahead.open(['a'])
  await client.next(isCursor)
  await connectAdmin(t, server).del(`{${log.name}}:log`)
  const id = await ahead.hub.publish('a', { data: 'seen' })
  t.deepEqual(await until(client, 'seen'), ['gap: epoch', 'seen'])
  const stream = await behind.open(['b'], id)
  await ahead.hub.publish('b', { data: 'new' })
  t.deepEqual(await until(stream, 'new'), ['new'])
  t.deepEqual(await until(witness, 'new'), ['gap: epoch', 'new'])
})
