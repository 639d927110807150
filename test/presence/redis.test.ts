import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { redisBroker } from 'koa-event-stream/redis'
import { HubEngine } from '../../lib/hub/engine.ts'
import { connectAdmin, openEngine, untilRedis } from '../redis/instance.ts'
import { openStream } from '../support/http.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { counts, openSite, statesOf, untilCount, untilOccupied } from './site.ts'

const LEASE = 3_000

async function openTwo(t: ExecutionContext) {
  const redis = await startRedis(t)
  const open = () => openSite(t, { broker: redisBroker({ ...PATIENT, client: redis.url }), lease: LEASE })
  const [one, other] = [await open(), await open()]
  return { redis, one, other, admin: connectAdmin(t, redis) }
}

test('tabs on several instances count once, and all instances say the same', async t => {
  const { one, other } = await openTwo(t)
  const [here, there] = [await one.watch(), await other.watch()]
  const tabs = [await one.enter('ada'), await other.enter('ada'), await other.enter('bob')]
  for (const watcher of [here, there]) {
    const { members } = await untilCount(watcher, 2)
    t.deepEqual(members, [{ id: 'ada' }, { id: 'bob' }])
  }
  for (const { hub } of [one, other]) t.is(await hub.occupancy('room'), 2)
  tabs[0]?.close()
  tabs[2]?.close()
  for (const watcher of [here, there]) t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'ada' }])
  tabs[1]?.close()
  for (const watcher of [here, there]) await untilCount(watcher, 0)
  // What the log says is the same for all.
  const told = (watcher: typeof here) =>
    statesOf(watcher)
      .slice(1)
      .map(state => JSON.stringify(state))
  t.deepEqual(told(here), told(there))
})

test('an instance that closes leaves its rooms, and nothing behind', async t => {
  const { one, other, admin } = await openTwo(t)
  const watcher = await one.watch()
  for (const user of ['ada', 'bob']) await other.enter(user)
  await one.enter('bob')
  await untilCount(watcher, 2)
  await other.hub.close()
  t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'bob' }])
  await one.hub.close()
  const left = await admin.keys('{events}:*')
  const kinds = ['instances', 'instance-numbers', 'untold', 'present', 'room']
  t.deepEqual(
    left.filter(key => kinds.includes(key.split(':')[1] ?? '')),
    [],
  )
})

test('Redis that is emptied is told anew who is there', async t => {
  const { one, other, admin } = await openTwo(t)
  const watcher = await one.watch()
  await one.enter('ada')
  const leaving = await other.enter('bob')
  await untilCount(watcher, 2)
  await admin.flushall()
  leaving.close()
  await other.enter('cy')
  const isBack = async () => {
    const { members } = await one.hub.presence('room')
    return (
      members
        .map(({ id }) => id)
        .toSorted()
        .join() === 'ada,cy' || undefined
    )
  }
  await untilRedis(isBack, 'it is not known who is there')
  const { members } = await untilCount(watcher, 2)
  t.deepEqual(members?.map(({ id }) => id).toSorted(), ['ada', 'cy'])
})

for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
  test(`of three instances one gets ${signal}: whom it alone had are gone with its lease`, async t => {
    const redis = await startRedis(t)
    const [victim, ...others] = await Promise.all([0, 1, 2].map(() => startInstance(t, redis.url)))
    const [first, second] = others
    if (victim === undefined || first === undefined || second === undefined) throw new Error('there are not three')
    const watcher = await openStream(`${first.url}?user=w&watch=1`)
    for (const user of ['ada', 'bob']) await openStream(`${victim.url}?user=${user}`)
    await openStream(`${second.url}?user=bob`)
    await untilCount(watcher, 2)
    victim.process.kill(signal)
    const since = Date.now()
    t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'bob' }])
    t.log(`${Date.now() - since} ms after it died, of a lease of ${LEASE} ms`)
    if (signal !== 'SIGSTOP') return
    victim.process.kill('SIGCONT')
    const { members } = await untilCount(watcher, 2)
    t.deepEqual(members?.map(({ id }) => id).toSorted(), ['ada', 'bob'])
  })
}

test('who could not be told while Redis was frozen is told afterwards', async t => {
  const { one, other, redis } = await openTwo(t)
  const watcher = await one.watch()
  const leaving = await other.enter('ada')
  await other.enter('bob')
  await untilCount(watcher, 2)
  redis.pause()
  leaving.close()
  await leaving.closed
  redis.resume()
  t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'bob' }])
})

test('a topic that somebody has changed and died without telling is told by another', async t => {
  const { one, redis } = await openTwo(t)
  const watcher = await one.watch()
  await one.enter('ada')
  await untilCount(watcher, 1)
  const { roster } = (await openEngine(t, { client: redis.url })).broker
  await roster.beat('dying', 60_000)
  await roster.change('dying', 1, [{ topic: 'room', id: 'bob', info: 'true' }])
  await untilCount(watcher, 2)
  await roster.retire('dying')
  t.deepEqual((await untilCount(watcher, 1)).members, [{ id: 'ada' }])
})

test('a crowd of 10,000 costs those who watch a few events', async t => {
  const { one, other } = await openTwo(t)
  const [here, there] = [await one.watch(), await other.watch()]
  const since = Date.now()
  for (let n = 0; n < 10_000; n += 1) {
    const { hub } = n % 2 === 0 ? one : other
    if (!(hub instanceof HubEngine)) throw new Error('no hub of ours')
    hub.audience.enter({ topic: 'room', id: `user ${n}` }, 'true')
    if (n % 100 === 0) await new Promise(setImmediate)
  }
  await Promise.all([untilCount(here, 10_000), untilCount(there, 10_000)])
  t.log(`${Date.now() - since} ms, told ${counts(here).join()}`)
  t.true(counts(here).length < 100)
  t.deepEqual(statesOf(here).at(-1), { topic: 'room', count: 10_000 })
  t.is((await one.hub.presence('room', { most: 500 })).members.length, 500)
  await other.hub.close()
  await untilCount(here, 5_000)
  await untilOccupied(one.hub, 5_000)
})

async function startInstance(t: ExecutionContext, redis: string): Promise<{ process: ChildProcess; url: string }> {
  const child = fork(new URL('process.js', import.meta.url), [redis, String(LEASE)])
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  return { process: child, url: `http://127.0.0.1:${port}/` }
}
