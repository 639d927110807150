import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { redisBroker } from 'koa-event-stream/redis'
import { testBroker } from '../contract/broker.ts'
import { PATIENT } from '../support/progress.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'

let cluster: RedisCluster
const stops: (() => Promise<void>)[] = []
test.before(async () => {
  cluster = await startCluster({ teardown: stop => stops.push(stop) })
})
test.after.always(async () => {
  for (const stop of stops.toReversed()) await stop()
})

let logs = 0

testBroker(test, {
  name: 'redis cluster',
  shared: true,
  second: 8_000,
  open: async (t: ExecutionContext, history = {}) => {
    logs += 1
    const name = `log-${logs}`
    const client = cluster.connect()
    return {
      connect: async () => {
        const broker = redisBroker({ ...PATIENT, client, name, history })
        t.teardown(() => broker.close())
        return broker
      },
      // Redis has a clock of its own, which nobody can advance.
      elapse: async ms => {
        await delay(ms)
      },
      // The log is put ahead of the clock, as it is when the clock was set back.
      stepBack: async ms => {
        await client.hincrby(`{${name}}:log`, 'seq', ms * 1_000)
      },
    }
  },
})
