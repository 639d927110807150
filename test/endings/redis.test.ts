import test from 'ava'
import type { Broker } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { PATIENT } from '../support/progress.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { SCHEMES } from './schemes.ts'
import { Table } from './table.ts'

let server: RedisServer

test.before(async () => {
  server = await startRedis()
})

test.after.always(() => server.stop())

for (const scheme of SCHEMES) {
  test(`${scheme.name}: no stream outlives a login that is ended on another instance while it is opened`, async t => {
    const name = `endings-${SCHEMES.indexOf(scheme)}`
    const broker = (): Broker => redisBroker({ client: server.url, name, ...PATIENT })
    const table = await Table.open(t, { scheme, brokers: [broker(), broker()], hearings: ['in time', 'late'] })
    const { count, wrong } = await table.run()
    t.deepEqual(wrong, [])
    t.log(`${count} cells`)
  })
}
