import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { systemClock } from '../../lib/clock.ts'
import { BulkConnection } from '../../lib/broker/redis/bulk-connection.ts'
import { Deferred } from '../support/deferred.ts'
import { PATIENCE } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'

/** One whose connections come when the test says so. */
async function openBulk(t: ExecutionContext) {
  const { url } = await startRedis(t)
  const lines: { readonly client: Redis; readonly come: Deferred<undefined>; readonly ended: Promise<unknown> }[] = []
  const bulk = new BulkConnection({
    connect: async () => {
      const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
      const line = { client, come: new Deferred<undefined>(), ended: once(client, 'end') }
      lines.push(line)
      t.teardown(async () => client.disconnect())
      await client.connect()
      await line.come.promise
      return client
    },
    prove: async client => {
      await client.ping()
    },
    patience: { clock: systemClock, ms: PATIENCE },
  })
  t.teardown(async () => {
    bulk.close()
  })
  const line = (index: number) => {
    const found = lines[index]
    if (found === undefined) throw new Error(`no connection ${index} has been asked for`)
    return found
  }
  return { bulk, line }
}

const ping = (client: Redis) => client.ping()

test('a connection that comes when it has been closed is ended', async t => {
  const { bulk, line } = await openBulk(t)
  const asked = bulk.ask(ping)
  bulk.close()
  line(0).come.resolve(undefined)
  await t.throwsAsync(asked)
  await line(0).ended
  t.pass()
})

test('a connection that comes when there is another is ended, and the other one is not', async t => {
  const { bulk, line } = await openBulk(t)
  const first = bulk.ask(ping)
  bulk.close()
  const second = bulk.ask(ping)
  line(1).come.resolve(undefined)
  t.is(await second, 'PONG')
  line(0).come.resolve(undefined)
  await t.throwsAsync(first)
  await line(0).ended
  t.is(await bulk.ask(ping), 'PONG')
  bulk.close()
  await line(1).ended
})
