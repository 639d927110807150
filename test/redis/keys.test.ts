import test from 'ava'
import { createPublisher } from 'koa-event-stream/redis'
import { REMEMBERED_KEYS } from '../../lib/broker/history-policy.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { body, connectAdmin, openEngine, openInstance, publish, until, untilRedis } from './instance.ts'

test('a publish that was rejected is repeated, from anywhere: one event, one id', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const [instance, other] = [
    await openInstance(t, { client: server.url, timeout: 500 }),
    await openInstance(t, { client: server.url }),
  ]
  const publisher = createPublisher({ ...PATIENT, client: server.url })
  t.teardown(() => publisher.close())
  await instance.hub.publish('a', { data: 'before' })
  const stream = await other.open(['a'])
  const options = { key: 'order:7' }
  server.pause()
  await t.throwsAsync(instance.hub.publish('a', { data: 'paid' }, options), { code: 'ERR_BROKER' })
  server.resume()
  // It had been sent, and is carried out now.
  const isThere = async () => ((await admin.xlen('{events}:events:a')) === 2 ? true : undefined)
  await untilRedis(isThere, 'the publish was not carried out')
  const ids = await Promise.all([
    other.hub.publish('a', { data: 'paid' }, options),
    publisher.publish('a', { data: 'paid' }, options),
    publisher.publish('a', { data: 'paid' }, options),
  ])
  const again = () => instance.hub.publish('a', { data: 'paid' }, options).catch(() => undefined)
  ids.push(await untilRedis(again, 'the publish is still rejected'))
  t.is(new Set(ids).size, 1)
  await other.hub.publish('a', { data: 'after' })
  t.deepEqual(await until(stream, 'after'), ['paid', 'after'])
})

test('a fail-over that kept the first: the key is known there', async t => {
  const [master, replica] = [await startRedis(t, { args: ['--repl-diskless-sync-delay', '0'] }), await startRedis(t)]
  const [admin, promoted] = [connectAdmin(t, master), connectAdmin(t, replica)]
  await promoted.replicaof('127.0.0.1', master.port)
  await untilRedis(
    async () => (await promoted.info('replication')).includes('master_link_status:up') || undefined,
    'the replica got nothing',
  )
  const before = await openEngine(t, { client: master.url })
  const first = await before.broker.publish(['a'], body('x'), { key: 'k' })
  await admin.wait(1, 0)
  await untilRedis(
    async () => ((await promoted.exists('{events}:events:a')) === 1 ? true : undefined),
    'the event was not replicated',
  )
  await master.stop()
  await promoted.replicaof('NO', 'ONE')
  const after = await openEngine(t, { client: replica.url }, ['a'])
  t.is(await after.broker.publish(['a'], body('x'), { key: 'k' }), first)
  t.is(await promoted.xlen('{events}:events:a'), 1)
})

test('a log that begins a new life, since it lost another event, still knows its keys', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const { broker } = await openEngine(t, { client: server.url }, ['a'])
  const first = await broker.publish(['a'], body('x'), { key: 'k' })
  await publish(broker, 'b', '1')
  await admin.del('{events}:events:b', '{events}:last:b')
  const [next = ''] = await publish(broker, 'b', '2')
  t.not(first.split('-')[0], (await publish(broker, 'b', '3'))[0]?.split('-')[0], next)
  t.is(await broker.publish(['a'], body('x'), { key: 'k' }), first)
})

test('an event that cannot get into the history of all of its topics is in none, and may be published again', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, { client: server.url }, ['a', 'bad'])
  await publish(broker, 'bad', 'before')
  await admin.set('{events}:events:bad', 'of another type')
  const both = () => broker.publish(['a', 'bad'], body('both'), { key: 'k' })
  await t.throwsAsync(both(), { code: 'ERR_BROKER', message: /WRONGTYPE/ })
  t.is(await admin.xlen('{events}:events:a'), 0)
  await admin.del('{events}:events:bad')
  const id = await both()
  const heard = await recorder.until(id)
  await recorder.until((await publish(broker, 'a', 'after'))[0] ?? '')
  t.is(heard.filter(other => other === id).length, 1)
  t.is(await both(), id)
  t.is(await admin.xlen('{events}:events:a'), 2)
})

test('what is wrong with one topic rejects its own events, and no others of the same turn', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, { client: server.url }, ['a', 'b'])
  await admin.hset('{events}:last:bad', 'of', 'another type')
  const all = [
    broker.publish(['a'], body('1'), { key: 'k' }),
    broker.publish(['bad'], body('2')),
    broker.publish(['b', 'bad'], body('3')),
    broker.publish(['b'], body('4')),
  ]
  const [first, bad, both, last] = await Promise.allSettled(all)
  t.deepEqual([bad?.status, both?.status], ['rejected', 'rejected'])
  t.is(last?.status, 'fulfilled')
  t.is(await broker.publish(['a'], body('1'), { key: 'k' }), first?.status === 'fulfilled' ? first.value : '')
  const end = (await publish(broker, 'b', '5'))[0] ?? ''
  t.is((await recorder.until(end)).length, 3)
  t.deepEqual(recorder.gaps, [])
})

test('what is remembered of keys is bounded by number and by age', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const of = (topic: string) => (topic === 'short' ? { age: 10_000 } : undefined)
  const { broker } = await openEngine(t, { client: server.url, history: { age: 60_000, of } })
  await broker.publish(['a'], body('x'), { key: 'first' })
  const many = `
    local time = redis.call('TIME')[1]
    local ends = string.format('%.0f', time * 1000 + 120000)
    for n = 1, ARGV[1] do
      redis.call('HSET', KEYS[1], 'k' .. n, ends .. ' e-1')
      redis.call('ZADD', KEYS[2], string.format('%.0f', (time + 1) * 1000000), 'k' .. n)
    end`
  await admin.eval(many, 2, '{events}:keys', '{events}:key-order', REMEMBERED_KEYS - 1)
  await broker.publish(['a'], body('y'), { key: 'last' })
  t.is(await admin.zcard('{events}:key-order'), REMEMBERED_KEYS)
  t.is(await admin.hlen('{events}:keys'), REMEMBERED_KEYS)
  t.is(await admin.hexists('{events}:keys', 'first'), 0)
  // The oldest go, however soon a newer one ends.
  const short = await broker.publish(['short'], body('z'), { key: 'short' })
  t.is(await broker.publish(['short'], body('z'), { key: 'short' }), short)

  const brief = await openEngine(t, { client: server.url, name: 'brief', history: { age: 200 } })
  await brief.broker.publish(['a'], body('x'), { key: 'k' })
  const isGone = async () => ((await admin.exists('{brief}:keys', '{brief}:key-order')) === 0 ? true : undefined)
  await untilRedis(isGone, 'keys are remembered for ever')
})
