import { setTimeout } from 'node:timers/promises'
import { queryObjects } from 'node:v8'
import test from 'ava'
import { Redis } from 'ioredis'
import { redisBroker } from 'koa-event-stream/redis'
import { Batcher } from '../../lib/relay/batcher.ts'
import { Producer } from '../../lib/relay/producer.ts'
import { RunLog } from '../../lib/relay/run-log.ts'
import { View } from '../../lib/relay/view.ts'
import { eventually } from '../support/eventually.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { openSite, whole } from './site.ts'

const RUNS = 500

test.serial('runs that have ended, whatever way, leave no object behind', async t => {
  const site = await openSite(t, {
    relay: { keep: 5_000, limits: { identity: RUNS } },
    start: {
      run: async function* ({ signal }, ctx) {
        const number = Number(ctx.params.id)
        yield { data: 'x' }
        if (number % 4 === 1) throw new Error('no model')
        if (number % 4 === 2) await setTimeout(2 ** 30, undefined, { signal })
      },
    },
  })
  const ends = new Set<string | undefined>()
  let next = 0
  const visit = async () => {
    for (let number = next++; number < RUNS; number = next++) {
      const stream = await site.start(String(number))
      if (number % 4 === 2) await site.cancel(String(number))
      if (number % 4 === 3) stream.close()
      else ends.add((await whole(stream)).at(-1)?.split(' ')[0])
    }
  }
  await Promise.all(Array.from({ length: 10 }, visit))
  t.deepEqual([...ends].sort(), ['cancelled', 'done', 'failed'])
  await site.isEmpty()
  // An error whose stack nobody has looked at holds on to whoever was at work.
  for (const { error } of site.faults) t.truthy((error as Error).stack)
  for (const kind of [View, RunLog, Producer, Batcher]) {
    await eventually(
      () => queryObjects(kind, { format: 'count' }) === 0,
      () => `of ${kind.name} there are ${String(queryObjects(kind, { format: 'count' }))} left`,
    )
  }
})

test.serial('every key that runs have in Redis ends by itself', async t => {
  const { url } = await startRedis(t)
  const site = await openSite(t, { hub: { broker: redisBroker({ client: url, ...PATIENT }) } })
  const admin = new Redis(url)
  t.teardown(async () => admin.disconnect())
  for (const id of ['a', 'b', 'c']) {
    const stream = await site.start(id)
    const script = await site.script(id)
    script.say('1')
    if (id === 'b') script.throw(new Error('no model'))
    else if (id === 'c') await site.cancel(id)
    else script.end()
    await whole(stream)
  }
  await site.isEmpty()
  const keys = await admin.keys('*relay*')
  t.true(keys.length > 0)
  for (const key of keys) t.true((await admin.pttl(key)) > 0, key)
})
