import test from 'ava'
import { Redis } from 'ioredis'
import { redisBroker } from 'koa-event-stream/redis'
import { brokerContract } from 'koa-event-stream/testing'
import { ioredisVersions } from '../support/ioredis-versions.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { named } from './named.ts'

let server: RedisServer
let admin: Redis
test.before(async () => {
  server = await startRedis()
  admin = new Redis(server.url)
})
test.after.always(async () => {
  admin.disconnect()
  await server.stop()
})

for (const [version, ioredis] of ioredisVersions) {
  brokerContract(
    named(test, `redis, ${version}`),
    ({ log, history }) => {
      const client = new ioredis.Redis(server.url, { lazyConnect: true })
      return redisBroker({ ...PATIENT, client, name: log, history })
    },
    {
      shared: true,
      // Redis has a clock of its own, which nobody can advance.
      second: 12_000,
      // The log is put ahead of the clock, as it is when the clock was set back.
      stepBack: async (ms, log) => {
        await admin.hincrby(`{${log}}:log`, 'seq', ms * 1_000)
      },
    },
  )
}
