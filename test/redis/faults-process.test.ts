import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { createPublisher } from 'koa-event-stream/redis'
import { eventually } from '../support/eventually.ts'
import { openStream } from '../support/http.ts'
import { ModelClient } from '../support/model-client.ts'
import { ModelLog } from '../support/model-log.ts'
import { complaintsOf } from '../support/oracle.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { connectAdmin, isCursor, untilRedis } from './instance.ts'

const KEPT = 1_000

test('one of two instances is killed: its clients resume on the other, nothing is lost or doubled, without a gap', async t => {
  const redis = await startRedis(t)
  const [victim, survivor] = await Promise.all([startInstance(t, redis.url), startInstance(t, redis.url)])
  const publisher = createPublisher({ ...PATIENT, client: redis.url })
  t.teardown(() => publisher.close())
  const log = new ModelLog()
  const clients = Array.from({ length: 40 }, (_, n) => {
    const topics = [['a'], ['a', 'b'], ['b', 'c']][n % 3] ?? []
    const server = () => (n % 2 === 0 && !victim.process.killed ? victim : survivor).url
    return new ModelClient({ topics, log, server })
  })
  for (const client of clients) client.connect()
  await eventually(
    () => clients.every(({ start }) => start < Infinity),
    () => 'not all clients have begun',
  )
  let last: number | undefined
  for (let round = 0; round < 60; round += 1) {
    if (round === 20) victim.process.kill('SIGKILL')
    for (const topics of [['a'], ['b', 'c'], ['a', 'b', 'c'], ['c']]) last = await log.say(publisher, topics)
  }
  last = await log.say(publisher, ['a', 'b'])
  await Promise.all(clients.map(client => client.reaches(last ?? Infinity)))
  for (const client of clients) {
    client.leave()
    t.deepEqual(complaintsOf(client, log, KEPT), [])
    t.deepEqual(client.gaps, [])
    t.true(client.received.size > 100)
  }
})

for (const frozen of [false, true]) {
  test(`a hub that is closed keeps neither the process alive nor a connection open${frozen ? ', with Redis frozen' : ''}`, async t => {
    const redis = await startRedis(t)
    const instance = await startInstance(t, redis.url)
    const stream = await openStream(`${instance.url}?topics=a,b`)
    await stream.next(isCursor)
    if (frozen) redis.pause()
    const exited = once(instance.process, 'exit')
    instance.process.send('close')
    t.is(await stream.closed, 'end')
    t.deepEqual(await exited, [0, null])
    if (frozen) redis.resume()
    const admin = connectAdmin(t, redis)
    await untilRedis(
      async () =>
        String(await admin.client('LIST'))
          .trim()
          .split('\n').length === 1 || undefined,
      'a connection is left',
    )
  })
}

async function startInstance(t: ExecutionContext, redis: string): Promise<{ process: ChildProcess; url: string }> {
  const child = fork(new URL('instance-process.js', import.meta.url), [redis])
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  return { process: child, url: `http://127.0.0.1:${port}/` }
}
