import test, { type ExecutionContext } from 'ava'
import { EventStreamError } from 'koa-event-stream'
import { Redis } from 'ioredis'
import { redisBroker } from 'koa-event-stream/redis'
import { Recorder } from '../contract/recorder.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'

async function openEngine(t: ExecutionContext) {
  const server = await startRedis(t)
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const broker = redisBroker({ ...PATIENT, client: server.url })
  t.teardown(() => broker.close())
  const recorder = new Recorder()
  broker.listen(recorder)
  for (const topic of ['a', 'b', 'c']) await broker.subscribe(topic)
  return { admin, broker, recorder }
}

const body = (text: string) => Buffer.from(`data: ${text}\n\n`)

test('events that are published at once go to Redis in a few calls, and keep their order', async t => {
  const { admin, broker, recorder } = await openEngine(t)
  await admin.config('RESETSTAT')
  const topics = [['a'], ['b', 'a'], ['c', 'b'], ['a', 'b', 'c']]
  const ids = await Promise.all(
    Array.from({ length: 300 }, (_, n) => broker.publish(topics[n % topics.length] ?? [], body(`${n}`))),
  )
  t.deepEqual(ids, ids.toSorted())
  const heard = await recorder.until(ids.at(-1) ?? '')
  t.deepEqual([...new Set(heard)], ids)
  const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1]
  t.true(Number(calls) <= 10, `${calls} calls`)
})

test('an event that Redis cannot keep is rejected alone, and is heard by nobody', async t => {
  const { admin, broker, recorder } = await openEngine(t)
  await broker.publish(['b'], body('before'))
  await admin.set('{events}:events:b', 'not a stream')
  const results = await Promise.allSettled([
    broker.publish(['a'], body('one')),
    broker.publish(['b'], body('two')),
    broker.publish(['a'], body('three')),
  ])
  t.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  const [, rejected] = results
  t.true(rejected.status === 'rejected' && rejected.reason instanceof EventStreamError)
  t.like(rejected, { reason: { code: 'ERR_BROKER' } })
  await admin.del('{events}:events:b')
  const last = await broker.publish(['a', 'b'], body('four'))
  await recorder.until(last)
  const texts = recorder.heard.map(({ event }) => /data: (.*)/.exec(Buffer.from(event.frame).toString())?.[1])
  t.deepEqual([...new Set(texts)], ['before', 'one', 'three', 'four'])
  t.deepEqual(recorder.gaps, [])
})

test('what is large goes to Redis in pieces', async t => {
  const { broker, recorder } = await openEngine(t)
  const large = 'x'.repeat(60_000)
  const ids = await Promise.all(Array.from({ length: 12 }, () => broker.publish(['a'], body(large))))
  t.deepEqual(await recorder.until(ids.at(-1) ?? ''), ids)
})

test('an event may be of thousands of topics', async t => {
  const { broker, recorder } = await openEngine(t)
  const many = Array.from({ length: 10_000 }, (_, n) => `many-${n}`)
  const first = await broker.publish([...many, 'a'], body('first'))
  const second = await broker.publish(['a', ...many], body('second'))
  t.deepEqual(await recorder.until(second), [first, second])
  await broker.subscribe('many-9999')
  await broker.load(['many-9999'], 0)
  t.is(broker.read('many-9999', 0, 10).events.length, 2)
})
