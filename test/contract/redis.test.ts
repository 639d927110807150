import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { redisBroker } from 'koa-event-stream/redis'
import { ioredisVersions } from '../support/ioredis-versions.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { testBroker } from './broker.ts'

let server: RedisServer
let admin: Redis
let logs = 0
test.before(async () => {
  server = await startRedis()
  admin = new Redis(server.url)
})
test.after.always(async () => {
  admin.disconnect()
  await server.stop()
})

for (const [version, ioredis] of ioredisVersions) {
  testBroker(test, {
    name: `redis, ${version}`,
    shared: true,
    second: 12_000,
    open: async (t: ExecutionContext, history = {}) => {
      logs += 1
      const name = `log-${logs}`
      const client = new ioredis.Redis(server.url, { lazyConnect: true })
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
          await admin.hincrby(`{${name}}:log`, 'seq', ms * 1_000)
        },
      }
    },
  })
}
