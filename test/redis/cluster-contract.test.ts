import test from 'ava'
import { redisBroker } from 'koa-event-stream/redis'
import { brokerContract } from 'koa-event-stream/testing'
import { named } from '../contract/named.ts'
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

brokerContract(
  named(test, 'redis cluster'),
  ({ log, history }) => redisBroker({ ...PATIENT, client: cluster.connect(), name: log, history }),
  {
    shared: true,
    // Redis has a clock of its own, which nobody can advance.
    second: 8_000,
    // The log is put ahead of the clock, as it is when the clock was set back.
    stepBack: async (ms, log) => {
      await cluster.connect().hincrby(`{${log}}:log`, 'seq', ms * 1_000)
    },
  },
)
