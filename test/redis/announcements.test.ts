import test from 'ava'
import { Redis } from 'ioredis'
import { createHub } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'

const KEY = '{events}:announcements'

test('however long the topics are that are taken away, what is remembered of it is bounded', async t => {
  const { url } = await startRedis(t)
  const admin = new Redis(url)
  t.teardown(async () => admin.disconnect())
  const hub = createHub({ broker: redisBroker({ client: url, ...PATIENT }) })
  t.teardown(() => hub.close())
  if (!hub.ready) await new Promise<void>(resolve => hub.once('ready', resolve))
  const topics = Array.from({ length: 100 }, (_, index) => String(index).padEnd(256, 'ä'))
  const times = 600
  for (let count = 0; count < times; count += 1) await hub.unsubscribe({ identity: 'ann' }, topics)
  const length = await admin.xlen(KEY)
  t.true(length > 100 && length < times, `${String(length)} are remembered`)
  const bytes = await admin.memory('USAGE', KEY, 'SAMPLES', 0)
  t.true((bytes ?? Infinity) < 24 * 1_048_576, `they take ${String(bytes)} bytes`)
  // What is small is remembered as ever.
  for (let count = 0; count < 300; count += 1) await hub.disconnect({ identity: 'ann' })
  const newest = await admin.xrevrange(KEY, '+', '-', 'COUNT', 300)
  t.true(newest.every(([, [, message]]) => message?.includes('disconnect')))
})
