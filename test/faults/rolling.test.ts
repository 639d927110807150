import { fork } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { createPublisher } from 'koa-event-stream/redis'
import { ModelLog } from '../support/model-log.ts'
import { PATIENT } from '../support/progress.ts'
import { Random, seedOf } from '../support/random.ts'
import { startRedis } from '../support/redis-server.ts'
import { ReturningClient, type Absence, type Server } from './rolling-client.ts'
import { histogram, tenths } from './rolling-histogram.ts'
import { publishSteadily } from './rolling-publisher.ts'
import type { Report } from './rolling-instance.ts'

const CLIENTS = Number(process.env.ROLLING_CLIENTS ?? 600)
/** Milliseconds that the clients of an instance which drains come back in. */
const WINDOW = 5_000
/** The least that a client is told to wait. */
const LEAST = 500
/** Milliseconds between two publishes. */
const PACE = 100
/** So many at once come in the beginning, as the system lets that many wait to be accepted. */
const WAITING = 250
const TOPICS = ['a', 'b', 'c', 'd']

interface Instance extends Server {
  /** Has it drain and exit; answers what it says then. */
  end(): Promise<Report>
}

test(`${CLIENTS} clients get every event once, in order, while two instances are restarted one after the other`, async t => {
  const redis = await startRedis(t)
  const up = new Set(await Promise.all([startInstance(t, redis.url), startInstance(t, redis.url)]))
  const publisher = createPublisher({ client: redis.url, ...PATIENT })
  t.teardown(() => publisher.close())
  const log = new ModelLog()
  const random = new Random(seedOf(process.env))
  const server = () => random.pick([...up])
  const clients = Array.from(
    { length: CLIENTS },
    (_, n) => new ReturningClient({ name: `client ${n}`, topics: random.some(TOPICS), log, server }),
  )
  t.teardown(() => clients.forEach(client => client.leave()))

  const stopped = new AbortController()
  t.teardown(() => stopped.abort())
  const published = publishSteadily(() => log.say(publisher, random.some(TOPICS)), PACE, stopped.signal)
  for (let n = 0; n < clients.length; n += WAITING) {
    const some = clients.slice(n, n + WAITING)
    for (const client of some) client.connect()
    await Promise.all(some.map(client => client.isLive()))
  }
  for (const instance of [...up]) {
    const served = clients.filter(({ at }) => at === instance)
    const before = new Map(served.map(client => [client, client.absences.length]))
    // It is out of the rotation before it is told, as with a balancer.
    up.delete(instance)
    const { stats, faults } = await instance.end()
    t.deepEqual(faults, [])
    t.like(stats, { streams: 0, topics: 0, identities: 0, addresses: 0, bufferedBytes: 0, gaps: 0 })
    t.is(stats.closed.drain, served.length)
    up.add(await startInstance(t, redis.url))
    await Promise.all(clients.map(client => client.isLive(instance)))
    const absences = [...before].flatMap(([client, count]) => client.absences[count] ?? [])
    t.is(absences.length, served.length)
    assertSpread(t, absences)
  }
  stopped.abort()
  await published
  const last = await log.say(publisher, TOPICS)
  await Promise.all(clients.map(client => client.reaches(last ?? Infinity)))
  t.deepEqual(clients.flatMap(client => client.check()).slice(0, 5), [])
  const turnedAway = clients.reduce((sum, client) => sum + client.turnedAway, 0)
  t.log(`${CLIENTS} clients, ${log.published.length} events, ${turnedAway} visits for nothing`)
})

/** The clients of an instance that drained were told to come back all over the window, and none beyond it. */
function assertSpread(t: ExecutionContext, absences: readonly Absence[]): void {
  const told = absences.map(({ retry }) => retry)
  const lasted = absences.map(absence => absence.lasted ?? Infinity)
  t.log(histogram('Told to come back after', told, LEAST, WINDOW))
  t.log(histogram('Were back, and had caught up, after', lasted, LEAST, WINDOW))
  const counts = tenths(told, LEAST, WINDOW)
  t.is(
    counts.reduce((a, b) => a + b),
    told.length,
  )
  // Of hundreds of clients no tenth of the window gets none or a quarter by chance, once in ten thousand million times.
  for (const count of counts) t.true(count > 0 && count < told.length / 4, counts.join())
}

async function startInstance(t: ExecutionContext, redis: string): Promise<Instance> {
  const child = fork(new URL('rolling-instance.js', import.meta.url), [redis, String(WINDOW)])
  t.teardown(() => child.kill('SIGKILL'))
  const [port] = (await once(child, 'message')) as [number]
  const end = async (): Promise<Report> => {
    const exited = once(child, 'exit')
    const told = once(child, 'message')
    child.kill('SIGTERM')
    const [report] = (await told) as [Report]
    t.deepEqual(await exited, [0, null])
    return report
  }
  return { url: `http://127.0.0.1:${port}`, end }
}
