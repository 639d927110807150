import test from 'ava'
import type { Redis } from 'ioredis'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { connectAdmin, isCursor, openEngine, openInstance, publish, until } from './instance.ts'
import { parseCursor } from '../../lib/wire/cursor.ts'

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
  [
    'the clock was stepped back and the log’s hash is deleted',
    async (admin, name) => {
      await admin.hincrby(`{${name}}:log`, 'seq', 3_600_000_000)
      return admin
    },
  ],
]

for (const [what, lose] of LOSSES.slice(0, 2)) {
  test(`${what}: streams are told of a gap, and get every event after it`, async t => {
    const log = ownLog()
    const instance = await openInstance(t, log)
    const admin = connectAdmin(t, server)
    const stream = await instance.open(['a', 'b'])
    const old = await instance.hub.publish('a', { data: 'before' })
    await until(stream, 'before')
    await lose(admin, log.name)
    await instance.hub.publish('a', { data: 'first' })
    await instance.hub.publish('b', { data: 'second' })
    t.deepEqual(await until(stream, 'second'), ['before', 'gap: epoch', 'first', 'second'])
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
  await admin.del(`{${log.name}}:log`)
  const first = await publish(broker, 'b', '4')
  const second = await publish(broker, 'a', '5')
  const heard = await recorder.until(second[0] ?? '')
  t.deepEqual(heard.slice(1), [...old, ...first, ...second])
  t.deepEqual(recorder.gaps, [{ topics: ['a', 'b'], reason: 'epoch' }])
  await broker.load(['a'], 0)
  t.deepEqual(broker.read('a', 0, 10).events.length, 1)
  t.is(broker.position().seq, (parseCursor(second[0]) as { seq: number }).seq)
})
