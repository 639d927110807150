import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Redis } from 'ioredis'
import { createPublisher } from 'koa-event-stream/redis'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { ROOT } from '../support/root.ts'
import { connectAdmin, openEngine, openInstance, publish, until } from './instance.ts'

// The scripts of format 1, as version 0.1 ran them, with its keys and arguments.
const ROOTS = ['{events}:log', '{events}:older'] as const
const script = (name: string) => readFile(join(ROOT, `test/redis/format-1/${name}.lua`), 'utf8')

async function publishOld(admin: Redis, topic: string, text: string): Promise<unknown> {
  const limits = [1_000, 1_048_576, 300_000, 100_000]
  const named = ['PUBLISH', topic, `{events}:topic:${topic}`]
  const event = [`data: ${text}\n\n`, '1']
  const keys = [...ROOTS, `{events}:events:${topic}`]
  return admin.eval(await script('publish'), 3, ...keys, '0123456789ab', ...limits, ...named, ...event)
}

async function readOld(admin: Redis, topic: string): Promise<unknown> {
  return admin.eval(await script('read'), 3, ...ROOTS, `{events}:events:${topic}`, '0123456789ab', topic, 0, 10)
}

/** What the log is in Redis, byte for byte. Formats share the probe and the announcements. */
async function contents(admin: Redis): Promise<[key: string, value: string][]> {
  const keys = (await admin.keys('*')).filter(key => !/:(probe|announcements)$/.test(key)).toSorted()
  return Promise.all(keys.map(async key => [key, (await admin.dumpBuffer(key)).toString('hex')]))
}

const REFUSAL = { code: 'ERR_BROKER', message: /format 1\b.*format 2\b.*`name`/ } as const

test('a log that an older version is using: this one refuses by name, changes nothing, and goes on once it is gone', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  await publishOld(admin, 'a', 'old')
  const before = await contents(admin)
  const instance = await openInstance(t, { client: server.url })
  const publisher = createPublisher({ ...PATIENT, client: server.url })
  t.teardown(() => publisher.close())
  const [lost] = await instance.tells('lost')
  t.regex((lost?.about as { error: Error }).error.message, REFUSAL.message)
  t.false(instance.hub.ready)
  await t.throwsAsync(instance.hub.publish('a', { data: 'new' }), REFUSAL)
  await t.throwsAsync(publisher.publish('a', { data: 'new' }, { key: 'k' }), REFUSAL)
  t.deepEqual(await contents(admin), before)
  await publishOld(admin, 'a', 'goes on')

  await admin.del('{events}:log')
  await instance.tells('ready')
  const stream = await instance.open(['a'])
  await publisher.publish('a', { data: 'new' })
  t.deepEqual(await until(stream, 'new'), ['new'])
})

test('an older version that comes to a log of this one fails before it changes anything', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  const { broker, recorder } = await openEngine(t, { client: server.url }, ['a'])
  await publish(broker, 'a', 'new')
  const before = await contents(admin)
  for (const topic of ['a', 'another']) {
    await t.throwsAsync(publishOld(admin, topic, 'old'), { message: /WRONGTYPE/ })
    await t.throwsAsync(readOld(admin, topic), { message: /WRONGTYPE/ })
  }
  t.deepEqual(await contents(admin), before)
  const [last = ''] = await publish(broker, 'a', 'goes on')
  await recorder.until(last)
  t.deepEqual([recorder.gaps, recorder.faults], [[], []])
})

test('a log of a later version is refused by name, too', async t => {
  const server = await startRedis(t)
  const admin = connectAdmin(t, server)
  await admin.hset('{events}:log', { format: '17', epoch: 'e', seq: '1', base: '1' })
  const publisher = createPublisher({ ...PATIENT, client: server.url })
  t.teardown(() => publisher.close())
  await t.throwsAsync(publisher.publish('a', { data: 'x' }), { code: 'ERR_BROKER', message: /format 17\b.*format 2\b/ })
})
