import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { createHub, EventStreamError, type EventMap } from 'koa-event-stream'
import { createPublisher, redisBroker, type PublisherOptions } from 'koa-event-stream/redis'
import { idOf, Recorder } from '../contract/recorder.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

interface Orders {
  'order.created': { readonly no: number }
}

async function listening(t: ExecutionContext, server: RedisServer, topics: readonly string[]) {
  const broker = redisBroker({ ...PATIENT, client: server.url })
  t.teardown(() => broker.close())
  const recorder = new Recorder()
  broker.listen(recorder)
  for (const topic of topics) await broker.subscribe(topic)
  return recorder
}

function open<Events extends object = EventMap>(t: ExecutionContext, options: PublisherOptions) {
  const publisher = createPublisher<Events>({ ...PATIENT, ...options })
  t.teardown(() => publisher.close())
  return publisher
}

test('what a worker publishes reaches the instances as if one of them had published it', async t => {
  const server = await startRedis(t)
  const recorder = await listening(t, server, ['orders', 'user:1'])
  const publisher = open<Orders>(t, { client: server.url })
  const id = await publisher.publish(['orders', 'user:1'], { event: 'order.created', data: { no: 1 } })
  const last = await publisher.publish('orders', { event: 'order.created', data: { no: 2 } })
  t.deepEqual(await recorder.until(last), [id, id, last])
  t.deepEqual(recorder.heard.flatMap(({ topics }) => topics).toSorted(), ['orders', 'orders', 'user:1'])
  t.is(
    Buffer.from(recorder.heard.at(-1)?.event.frame ?? '').toString(),
    `id: ${last}\nevent: order.created\ndata: {"no":2}\n\n`,
  )
})

test('publishers and instances publish into one order of ids, and one log, whatever key prefix a client has', async t => {
  const server = await startRedis(t)
  const recorder = await listening(t, server, ['news'])
  const hub = createHub({ broker: redisBroker({ ...PATIENT, client: server.url }) })
  t.teardown(() => hub.close())
  const publishers = [
    hub,
    open(t, { client: server.url }),
    open(t, { client: new Redis(server.url, { lazyConnect: true, keyPrefix: 'app:' }) }),
  ]
  const calls = publishers.flatMap(publisher =>
    Array.from({ length: 30 }, (_, n) => publisher.publish('news', { data: String(n) })),
  )
  const rising = (await Promise.all(calls)).toSorted()
  t.deepEqual(await recorder.until(rising.at(-1) ?? ''), rising)
  t.is(new Set(rising).size, 90)
})

test('another name is another log', async t => {
  const server = await startRedis(t)
  const recorder = await listening(t, server, ['news'])
  await open(t, { client: server.url, name: 'other' }).publish('news', { data: 'elsewhere' })
  const id = await open(t, { client: server.url }).publish('news', { data: 'here' })
  t.deepEqual(await recorder.until(id), [id])
})

test('history is bounded as the publisher says', async t => {
  const server = await startRedis(t)
  const publisher = open(t, { client: server.url, history: { count: 2 } })
  const ids = []
  for (const data of ['1', '2', '3']) ids.push(await publisher.publish('news', { data }))
  const broker = redisBroker({ ...PATIENT, client: server.url })
  t.teardown(() => broker.close())
  broker.listen(new Recorder())
  await broker.subscribe('news')
  await broker.load(['news'], 0)
  t.deepEqual(broker.read('news', 0, 10).events.map(idOf), ids.slice(1))
})

test('what cannot be an event is refused, and nothing is published', async t => {
  const server = await startRedis(t)
  const publisher = open(t, { client: server.url, maxEventBytes: 100 })
  for (const [topics, event, code] of [
    ['a b', { data: 'x' }, 'ERR_TOPIC_INVALID'],
    [[], { data: 'x' }, 'ERR_TOPIC_INVALID'],
    ['news', { event: 'two\nlines', data: 'x' }, 'ERR_EVENT_INVALID'],
    ['news', { id: '1', data: 'x' }, 'ERR_EVENT_INVALID'],
    ['news', { data: 'x'.repeat(100) }, 'ERR_EVENT_TOO_LARGE'],
  ] as const) {
    await t.throwsAsync(publisher.publish(topics, event), { instanceOf: EventStreamError, code })
  }
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  t.is(await client.dbsize(), 0)
})

test('Redis is away: each call is settled in time, no more wait than may, and then it goes on', async t => {
  const server = await startRedis(t)
  const publisher = open(t, { client: server.url, timeout: 3_000, maxPending: 5 })
  const before = await publisher.publish('news', { data: 'before' })
  await server.stop()
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => publisher.publish('news', { data: 'down' })))
  const reasons = results.map(result => (result.status === 'rejected' ? result.reason : undefined))
  for (const reason of reasons) t.like(reason, { code: 'ERR_BROKER' })
  t.is(reasons.filter(({ message }) => message.includes('the limit of 5 pending publishes')).length, 3)
  const again = await startRedis(t, { port: server.port })
  let after = ''
  while (after === '') after = await publisher.publish('news', { data: 'after' }).catch(() => '')
  t.not(after.split('-')[0], before.split('-')[0], 'what was before is lost')
  again.pause()
  await t.throwsAsync(publisher.publish('news', { data: 'frozen' }), { code: 'ERR_BROKER' })
})

test('a publisher that is closed takes nothing, whatever it was at', async t => {
  const server = await startRedis(t)
  const [one, two] = [open(t, { client: server.url }), open(t, { client: 'redis://127.0.0.1:1' })]
  await one.publish('news', { data: 'x' })
  const waiting = t.throwsAsync(two.publish('news', { data: 'x' }), { code: 'ERR_BROKER' })
  await Promise.all([one.close(), two.close()])
  await waiting
  for (const publisher of [one, two]) {
    await t.throwsAsync(publisher.publish('news', { data: 'x' }), { code: 'ERR_BROKER', message: /closed/ })
  }
})

test('a wrong option is a TypeError that names it, and shows no password', t => {
  const client = 'redis://127.0.0.1:1'
  for (const [name, options] of [
    ['client', { client: 'http://:secret@127.0.0.1' }],
    ['client', {}],
    ['name', { client, name: 'two words' }],
    ['history.count', { client, history: { count: -1 } }],
    ['history', { client, history: 5 }],
    ['timeout', { client, timeout: 0 }],
    ['maxPending', { client, maxPending: 0 }],
    ['maxEventBytes', { client, maxEventBytes: 0 }],
    ['watchdog', { client, watchdog: 1_000 }],
  ] as const) {
    const error = t.throws(() => createPublisher(options as unknown as PublisherOptions), { instanceOf: TypeError })
    t.true(error.message.includes(`\`${name}\``), `${name}: ${error.message}`)
    t.false(error.message.includes('secret'))
  }
})

test('events are typed: what the map does not know does not compile', async t => {
  const server = await startRedis(t)
  const publisher = open<Orders>(t, { client: server.url })
  // @ts-expect-error -- no such event
  await publisher.publish('orders', { event: 'order.creatde', data: { no: 1 } })
  // @ts-expect-error -- not its data
  await publisher.publish('orders', { event: 'order.created', data: { number: 1 } })
  t.pass()
})
