import test from 'ava'
import { redisBroker } from 'koa-event-stream/redis'
import { EventStreamError } from '../../lib/errors.ts'
import { Recorder } from '../contract/recorder.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { body, connectAdmin, openEngine, openInstance, publish, until, untilRedis } from './instance.ts'

const REJECTION = { instanceOf: EventStreamError, code: 'ERR_BROKER' } as const

test('memory is out: publishing rejects, on new topics too, and nothing is heard that is not in history', async t => {
  const server = await startRedis(t, { args: ['--maxmemory-policy', 'noeviction'] })
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, { client: server.url }, ['a', 'new'])
  const before = await publish(broker, 'a', 'before')
  await admin.config('SET', 'maxmemory', '1mb')
  for (const topics of [['a'], ['new'], ['a', 'other'], ['other']]) {
    await t.throwsAsync(broker.publish(topics, body('refused')), { ...REJECTION, message: /OOM/ })
  }
  t.deepEqual(await admin.keys('*events:*'), ['{events}:events:a'])
  await admin.config('SET', 'maxmemory', '0')
  const after = [...(await publish(broker, 'new', 'x')), ...(await publish(broker, 'a', 'after'))]
  t.deepEqual(await recorder.until(after[1] ?? ''), [...before, ...after])
  t.deepEqual(recorder.gaps, [])
  await broker.load(['a'], 0)
  t.is(broker.read('a', 0, 10).events.length, 2)
})

test('a replica that is read-only: publishing rejects, and goes on once it is the master', async t => {
  const master = await startRedis(t, { args: ['--repl-diskless-sync-delay', '0'] })
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  // What the log is has come by replication.
  const elsewhere = await openEngine(t, { client: master.url })
  const old = await publish(elsewhere.broker, 'a', 'old')
  await admin.replicaof('127.0.0.1', master.port)
  const isReplica = async () => (await admin.info('replication')).includes('master_link_status:up') || undefined
  await untilRedis(isReplica, 'the replica got nothing')
  const broker = redisBroker({ ...PATIENT, client: server.url, watchdog: 200 })
  t.teardown(() => broker.close())
  const recorder = new Recorder()
  broker.listen(recorder)
  // No connection counts as ready while the replica loads what it has got.
  await broker.subscribe('a')
  await recorder.untilReady(false)
  await t.throwsAsync(broker.publish(['a'], body('refused')), { ...REJECTION, message: /READONLY/ })
  const replicated = await publish(elsewhere.broker, 'a', 'replicated')
  await recorder.until(replicated[0] ?? '')
  await admin.replicaof('NO', 'ONE')
  await recorder.untilReady()
  const after = await publish(broker, 'a', 'after')
  t.deepEqual(await recorder.until(after[0] ?? ''), [...replicated, ...after])
  await broker.load(['a'], 0)
  t.is(broker.read('a', 0, 10).events.length, [...old, ...replicated, ...after].length)
})

test('10,000 publishes while Redis is down: those within the bound go out in order, the others are settled at once', async t => {
  const server = await startRedis(t)
  const { port } = server
  const most = 9_000
  const { broker, recorder } = await openEngine(t, { client: server.url, maxPending: most }, ['a'])
  await server.stop()
  await recorder.untilReady(false)
  const calls = Array.from({ length: 10_000 }, (_, n) => broker.publish(['a'], body(String(n))))
  const refused = await Promise.allSettled(calls.slice(most))
  t.true(refused.every(({ status }) => status === 'rejected'))
  await startRedis(t, { port })
  const settled = await Promise.allSettled(calls)
  const ids = settled.flatMap(call => (call.status === 'fulfilled' ? call.value : []))
  t.is(ids.length, most)
  const seqs = ids.map(id => Number(id.split('-')[1]))
  t.true(seqs.every((seq, n) => n === 0 || seq > (seqs[n - 1] ?? Infinity)))
})

test('Redis does not come back: everything that waits for it is settled by its deadline', async t => {
  const server = await startRedis(t)
  const { broker, recorder } = await openEngine(t, { client: server.url, timeout: 2_000 })
  await server.stop()
  await recorder.untilReady(false)
  const settled = await Promise.allSettled([
    ...Array.from({ length: 100 }, () => broker.publish(['a'], body('x'))),
    broker.subscribe('a'),
    broker.announce({ type: 'disconnect', identity: 'ada', reason: 'server' }),
    broker.store.get('k'),
    broker.store.set('k', 'v', 1_000),
    broker.store.take('k'),
  ])
  for (const call of settled) t.like(call, { status: 'rejected', reason: { code: 'ERR_BROKER' } })
})

test('Redis is not there when the application starts: streams are turned away until it is, and nothing else is wrong', async t => {
  const { port, url, stop } = await startRedis(t)
  await stop()
  const instance = await openInstance(t, { client: url, timeout: 2_000 })
  t.false(instance.hub.ready)
  await instance.tells('lost')
  const early = await instance.open(['a'])
  t.is(early.status, 200)
  t.is(await early.closed, 'end')
  t.deepEqual(
    early.received.map(({ kind, event, data }) => (kind === 'retry' ? kind : `${event} ${data}`)),
    ['retry', 'goaway {"reason":"overload"}'],
  )
  await t.throwsAsync(instance.hub.publish('a', { data: 'x' }), REJECTION)
  t.like(instance.told.find(({ name }) => name === 'refuse')?.about, { reason: 'broker', status: 200 })
  await startRedis(t, { port })
  await instance.tells('ready')
  t.true(instance.hub.ready)
  const stream = await instance.open(['a'])
  await instance.hub.publish('a', { data: 'hello' })
  t.deepEqual(await until(stream, 'hello'), ['hello'])
  t.is(instance.told.filter(({ name }) => name === 'lost').length, 1)
  t.is(instance.told.filter(({ name }) => name === 'ready').length, 1)
})
