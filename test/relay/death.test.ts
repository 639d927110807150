import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { memoryBroker } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { eventually } from '../support/eventually.ts'
import { openStream, type ReceivedStream } from '../support/http.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { openSite, said, told, until, whole, type Site } from './site.ts'

// What is told within it is told late on a machine that is too busy: nothing here looks at the time.
const LEASE = 4_000

// For producers that are to live, however busy the machine is.
const LONG_LEASE = 300_000

const LOST = 'interrupted {"reason":"lost"}'

for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
  test(`a producer gets ${signal}: readers elsewhere are told once, and nothing that it says later is seen`, async t => {
    const redis = await startRedis(t)
    const [victim, one, other] = await Promise.all([
      startVictim(t, redis.url),
      openAt(t, redis.url),
      openAt(t, redis.url),
    ])
    await victim.start('a')
    const readers = await Promise.all([one.follow('a'), other.follow('a'), other.plain('a')])
    for (const reader of readers) await until(reader, '20')
    victim.process.kill(signal)
    const [first, second, plain] = readers
    const all = await whole(first)
    t.is(all.at(-1), LOST)
    t.deepEqual(await whole(second), all)
    t.is(await plain.closed, 'cut')
    t.deepEqual(said(plain.received), all.slice(0, -1))
    t.deepEqual(all.slice(0, -1), words(1, all.length - 1))
    t.deepEqual(await whole(await one.follow('a')), all)
    if (signal === 'SIGSTOP') {
      const admin = new Redis(redis.url)
      t.teardown(async () => admin.disconnect())
      const history = async () => admin.xlen(await topicKey(admin))
      const before = await history()
      victim.process.kill('SIGCONT')
      // It hears that it was taken for dead, and what it had on its way is in the log by then.
      await eventually(
        async () =>
          (await openStream(`${victim.url}/runs/b`, { method: 'POST', headers: { 'x-user': 'ann' } })).status === 200,
        () => 'the frozen instance does not come back',
      )
      await eventually(
        async () => (await admin.keys('{events}:places:relay:life:*')).length === 1,
        () => 'it does not hear that the run is over',
      )
      t.log(`events in the log before it woke and after: ${String(before)}, ${String(await history())}`)
    }
    for (const site of [one, other]) t.deepEqual(await whole(await site.follow('a')), all)
    const anew = await one.start('a')
    const script = await one.script('a')
    script.say('anew')
    script.end()
    t.deepEqual(await whole(anew), ['token anew', 'done {"reason":"end"}'])
    t.deepEqual(await whole(await other.follow('a')), ['token anew', 'done {"reason":"end"}'])
  })
}

test('a producer dies without readers: who comes later is told', async t => {
  const redis = await startRedis(t)
  const [victim, one] = await Promise.all([startVictim(t, redis.url), openAt(t, redis.url)])
  const starter = await victim.start('a')
  await until(starter, '5')
  victim.process.kill('SIGKILL')
  await starter.closed
  const late = await one.follow('a')
  t.is((await whole(late)).at(-1), LOST)
  t.is(told(late.received).at(-1), 'goaway {"reason":"done"}')
})

test('Redis forgets everything: the run goes on, and who comes later has all of it', async t => {
  const redis = await startRedis(t)
  const [one, other] = [await openAt(t, redis.url, LONG_LEASE), await openAt(t, redis.url, LONG_LEASE)]
  const starter = await one.start('a')
  const follower = await other.follow('a')
  const script = await one.script('a')
  script.say('1', '2')
  await until(follower, '2')
  const admin = new Redis(redis.url)
  t.teardown(async () => admin.disconnect())
  await admin.flushall()
  script.say('3')
  await until(starter, '3')
  await until(follower, '3')
  t.deepEqual(said(follower.received), words(1, 3))
  const late = await other.follow('a')
  script.end()
  const all = [...words(1, 3), 'done {"reason":"end"}']
  for (const stream of [starter, follower, late]) t.deepEqual(await whole(stream), all)
})

test('Redis is away for less than the lease: the run goes on, each event once', async t => {
  const redis = await startRedis(t)
  const open = () =>
    openSite(t, {
      hub: { broker: redisBroker({ client: redis.url, timeout: 2_000, watchdog: 500 }) },
      relay: { lease: LONG_LEASE },
    })
  const [one, other] = [await open(), await open()]
  await one.start('a')
  const follower = await other.follow('a')
  const script = await one.script('a')
  script.say('1')
  await until(follower, '1')
  const lost = once(one.hub, 'lost')
  redis.pause()
  script.say('2')
  await lost
  script.say('3')
  redis.resume()
  await until(follower, '3')
  script.end()
  t.deepEqual(await whole(follower), [...words(1, 3), 'done {"reason":"end"}'])
})

test('Redis is away for longer: the source is told, and readers are when it is back', async t => {
  const redis = await startRedis(t)
  const open = () =>
    openSite(t, {
      hub: { broker: redisBroker({ client: redis.url, timeout: 2_000, watchdog: 500 }) },
      relay: { lease: LEASE },
    })
  const [one, other] = [await open(), await open()]
  const starter = await one.start('a')
  const follower = await other.follow('a')
  const script = await one.script('a')
  script.say('1')
  await until(starter, '1')
  await until(follower, '1')
  redis.pause()
  script.say('2')
  t.deepEqual(await script.stopped(), { kind: 'interrupted', reason: 'lost' })
  redis.resume()
  t.is((await whole(follower)).at(-1), LOST)
  t.is((await whole(starter)).at(-1), LOST)
  t.deepEqual(await whole(starter), await whole(follower))
})

test('a hub on the memory broker leaves no run behind', async t => {
  const site = await openSite(t, { hub: { broker: memoryBroker() } })
  await site.start('a')
  t.is(site.hub.stats().topics, 1)
  ;(await site.script('a')).end()
  await site.isEmpty()
  t.is(site.hub.stats().topics, 0)
})

function openAt(t: ExecutionContext, url: string, lease = LEASE): Promise<Site> {
  return openSite(t, { hub: { broker: redisBroker({ client: url, ...PATIENT }) }, relay: { lease } })
}

interface Victim {
  readonly process: ChildProcess
  readonly url: string
  start(id: string): Promise<ReceivedStream>
}

async function startVictim(t: ExecutionContext, redis: string): Promise<Victim> {
  const child = fork(new URL('process.js', import.meta.url), [redis, String(LEASE)])
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  const url = `http://127.0.0.1:${String(port)}`
  return {
    process: child,
    url,
    start: id => openStream(`${url}/runs/${id}`, { method: 'POST', headers: { 'x-user': 'ann' } }),
  }
}

function words(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `token ${String(from + index)}`)
}

async function topicKey(admin: Redis): Promise<string> {
  const [key] = await admin.keys('{events}:events:relay:*')
  return key ?? ''
}
