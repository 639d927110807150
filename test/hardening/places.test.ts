import { fork } from 'node:child_process'
import { once } from 'node:events'
import test from 'ava'
import { memoryBroker, type LeaseStore } from 'koa-event-stream'
import { openAndAbort } from '../faults/open-abort.ts'
import { openEndpoint, REQUEST, type StreamOptions } from '../koa/endpoint.ts'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { openStream } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { rounds } from '../support/soak.ts'
import { openInstances } from './places.ts'

test('one more than allowed over two instances is refused by both, others are not, until one leaves', async t => {
  const instances = await openInstances(t)
  const [one, other] = [await instances.open(3), await instances.open(3)]
  const first = await one.open()
  const streams = [first, await one.open(), await other.open()]
  t.deepEqual(
    streams.map(({ status }) => status),
    [200, 200, 200],
  )
  for (const { open, story, hub } of [one, other]) {
    const refused = await open()
    t.is(refused.status, 429)
    t.truthy(refused.headers['retry-after'])
    t.is(story.at(-1), 'refuse identity-limit 429')
    t.is(hub.stats().streams, hub.stats().opened)
    t.is((await open({ headers: { 'x-user': 'ben' } })).status, 200)
  }
  await one.hub.publish('news', { data: 'unharmed' })
  for (const stream of streams) t.like(await stream.next(({ event }) => event === 'message'), { data: 'unharmed' })
  first.close()
  await instances.haveTaken(2)
  t.is((await other.open()).status, 200)
  t.is((await one.open()).status, 429)
})

test('of requests that race on two instances, so many get a stream as are allowed', async t => {
  const instances = await openInstances(t)
  const [one, other] = [await instances.open(5), await instances.open(5)]
  const streams = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? one : other).open()))
  const statuses = streams.map(({ status }) => status)
  t.is(statuses.filter(status => status === 200).length, 5)
  t.is(statuses.filter(status => status === 429).length, 35)
})

test('many rounds of opening and aborting on two instances leave no place taken', async t => {
  const count = rounds(5_000)
  const instances = await openInstances(t)
  const [one, other] = [await instances.open(1_000), await instances.open(1_000)]
  await Promise.all([one, other].map(({ port }) => openAndAbort(port, REQUEST, count)))
  await Promise.all([one.isEmpty(), other.isEmpty()])
  await instances.haveTaken(0)
  for (const { clock, hub } of [one, other]) {
    t.true(hub.stats().opened >= count / 2)
    // An answer of Redis’ may still be on its way, and the beat of the instance goes on.
    await eventually(
      () => clock.pending === 1,
      () => 'a timer is left',
    )
  }
  t.deepEqual(await instances.admin.keys('*:places:*'), [])
})

test('the places of an instance that is killed are free after a minute, and not before', async t => {
  const instances = await openInstances(t)
  const child = fork(new URL('instance-process.js', import.meta.url), [instances.redis.url])
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  const headers = { 'x-user': 'ann' }
  const streams = [1, 2].map(() => openStream(`http://127.0.0.1:${port}/`, { headers }))
  for (const stream of streams) await (await stream).next()
  child.kill('SIGKILL')
  await once(child, 'exit')
  const { open } = await instances.open(2)
  t.is((await open()).status, 429)
  await instances.elapse(59_000 - (60_000 - (await instances.left())))
  t.is((await open()).status, 429)
  await instances.elapse(1_000)
  t.is((await open()).status, 200)
})

test('places are renewed while their streams live, and counted anew where Redis has lost them', async t => {
  const instances = await openInstances(t)
  const { open, clock } = await instances.open(2)
  const streams = [await open(), await open()]
  const isRenewed = () =>
    eventually(
      async () => (await instances.left()) > 55_000,
      () => 'the places were not renewed',
    )
  for (let round = 0; round < 5; round += 1) {
    await instances.elapse(20_000)
    clock.advance(20_000)
    await isRenewed()
  }
  await instances.admin.flushall()
  clock.advance(20_000)
  await instances.haveTaken(2)
  await isRenewed()
  t.is((await open()).status, 429)
  for (const stream of streams) stream.close()
  await instances.haveTaken(0)
})

test('where places cannot be counted, this instance’s own limits hold; streams are counted when they can be', async t => {
  const instances = await openInstances(t)
  const { open, clock, story } = await instances.open(1, { limits: { identity: 3 } })
  t.is((await open()).status, 200)
  await instances.admin.acl('SETUSER', 'default', '-zadd', '-zremrangebyscore')
  const statuses = [await open(), await open(), await open()].map(({ status }) => status)
  t.deepEqual(statuses, [200, 200, 429])
  t.is(story.filter(chapter => chapter === 'fault lease').length, 2)
  t.is(await instances.taken(), 1)
  await instances.admin.acl('SETUSER', 'default', '+zadd', '+zremrangebyscore')
  clock.advance(20_000)
  await instances.haveTaken(3)
})

test('a hub that closes gives its places back at once', async t => {
  const instances = await openInstances(t)
  const [{ hub, open }, other] = [await instances.open(2), await instances.open(2)]
  for (let n = 0; n < 2; n += 1) await (await open()).next()
  await hub.close()
  t.is((await other.open()).status, 200)
  t.is(await instances.taken(), 1)
})

const LIMITED: StreamOptions = { limits: { shared: { identity: 1 } }, overload: 'reject' }

/** A broker in memory whose first answer about a place waits for the test, which is told that it was asked. */
function holdingBroker() {
  const [asked, answered] = [new Deferred<void>(), new Deferred<void>()]
  const broker = memoryBroker()
  const { leases } = broker
  const held: LeaseStore = {
    lease: async (...args) => {
      asked.resolve()
      const granted = await leases.lease(...args)
      await answered.promise
      return granted
    },
    supersede: (...args) => leases.supersede(...args),
    taken: key => leases.taken(key),
    renew: (...args) => leases.renew(...args),
    release: (...args) => leases.release(...args),
  }
  return { broker: Object.assign(broker, { leases: held }), asked: asked.promise, answer: answered.resolve, leases }
}

test('a store of places that does not answer is not waited for', async t => {
  const clock = new ManualClock()
  const { broker, asked } = holdingBroker()
  const { open, story } = await openEndpoint(t, LIMITED, { hub: { broker, clock } })
  const opening = open()
  await asked
  clock.advance(1_000)
  t.is((await (await opening).next()).event, 'cursor')
  t.deepEqual(story, ['fault lease', 'open'])
})

test('a client that leaves, or is logged out, while its place is asked for leaves none taken', async t => {
  for (const end of ['leave', 'logout'] as const) {
    const { broker, asked, answer, leases } = holdingBroker()
    let resolved = 0
    const subscribe = () => ((resolved += 1), 'news')
    const { hub, open, isEmpty, story } = await openEndpoint(t, { ...LIMITED, subscribe }, { hub: { broker } })
    const leaving = new AbortController()
    const opening = open({ signal: leaving.signal })
    await asked
    if (end === 'leave') {
      leaving.abort()
      await t.throwsAsync(opening)
      await isEmpty()
      answer()
    } else {
      await hub.disconnect({ identity: 'ann' }, 'logout')
      answer()
      t.is((await opening).status, 401)
    }
    await isEmpty()
    await eventually(
      () => leases.lease({ key: 'identity:ann', holder: 'probe' }, 1, 1),
      () => 'a place is taken',
    )
    t.is(resolved, 0)
    t.deepEqual(story, end === 'leave' ? [] : ['refuse unauthenticated 401'])
  }
})

test('a place that is given back while places are renewed does not stay taken', async t => {
  const clock = new ManualClock()
  const [asked, go, renewed] = [new Deferred<void>(), new Deferred<void>(), new Deferred<number>()]
  const broker = memoryBroker()
  const { leases } = broker
  const renew: LeaseStore['renew'] = async (held, ttl) => {
    asked.resolve()
    await go.promise
    await leases.renew(held, ttl)
    renewed.resolve(held.length)
  }
  const slow: LeaseStore = {
    lease: (...args) => leases.lease(...args),
    supersede: (...args) => leases.supersede(...args),
    taken: key => leases.taken(key),
    release: (...args) => leases.release(...args),
    renew,
  }
  const hub = { clock, broker: Object.assign(broker, { leases: slow }) }
  const { open, isEmpty } = await openEndpoint(t, LIMITED, { hub })
  const stream = await open()
  clock.advance(21_000)
  await asked.promise
  stream.close()
  await isEmpty()
  go.resolve()
  t.is(await renewed.promise, 1)
  await eventually(
    () => leases.lease({ key: 'identity:ann', holder: 'probe' }, 60_000, 1),
    () => 'the place is taken',
  )
})

test('HEAD is told that all places are taken, as a GET is, and takes none', async t => {
  const instances = await openInstances(t)
  const [one, other] = [await instances.open(1), await instances.open(1)]
  t.is((await one.open({ method: 'HEAD' })).status, 200)
  t.is(await instances.taken(), 0)
  const stream = await one.open()
  await stream.next()
  const [head, get] = [await other.open({ method: 'HEAD' }), await other.open()]
  t.deepEqual([head.status, get.status], [429, 429])
  t.truthy(head.headers['retry-after'])
  stream.close()
  await instances.haveTaken(0)
  t.is((await other.open({ method: 'HEAD' })).status, 200)
  await instances.admin.acl('SETUSER', 'default', '-zcount')
  t.is((await other.open({ method: 'HEAD' })).status, 200)
  t.is(other.story.at(-1), 'fault lease')
})
