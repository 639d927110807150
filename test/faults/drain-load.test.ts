import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { createPublisher, redisBroker } from 'koa-event-stream/redis'
import { openEndpoint } from '../koa/endpoint.ts'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { serve } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { ModelLog } from '../support/model-log.ts'
import { PATIENT } from '../support/progress.ts'
import { Random, seedOf } from '../support/random.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { ReturningClient } from './rolling-client.ts'
import { publishSteadily } from './rolling-publisher.ts'

const CLIENTS = 300
const TOPICS = ['a', 'b', 'c']
/** Clients that are being sent more than the kernel takes for somebody who does not read: 2,000 events of 10 kB. */
const READERS = 10
const LONG = 2_000
const PADDING = 'x'.repeat(10_000)
const HISTORY = { count: 10_000, bytes: 2 ** 26 }
/** Milliseconds. */
const WINDOW = 2_000
/** The least that a client is told to wait. */
const LEAST = 500
/** What clients are told at the opening, give or take a half, though never less than the least. */
const RETRY = 500
const PACE = 5

test('a drain under load ends all streams, those in the middle of a replay too, so that everything follows elsewhere', async t => {
  const redis = await startRedis(t)
  const [first, second] = [await openInstance(t, redis), await openInstance(t, redis)]
  const { server, url } = await serve(first.app)
  // Connections that are idle stay for ever: only their release lets the server close.
  server.keepAliveTimeout = 0
  const draining = { url }
  let open = draining
  const publisher = createPublisher({ client: redis.url, history: HISTORY, ...PATIENT })
  t.teardown(() => publisher.close())
  const log = new ModelLog()
  const random = new Random(seedOf(process.env))
  const common = { log, server: () => open }

  const clients = Array.from({ length: CLIENTS }, (_, n) => {
    return new ReturningClient({ ...common, name: `client ${n}`, topics: random.some(TOPICS) })
  })
  t.teardown(() => clients.forEach(client => client.leave()))
  for (const client of clients) client.connect()
  await Promise.all(clients.map(client => client.isLive()))
  await reach(clients, await log.say(publisher, TOPICS))

  const begun = new Deferred<void>()
  const pace = async (received: number) => {
    if (received > 0) await begun.promise
  }
  const cursor = await first.hub.cursor()
  const oldest = await log.say(publisher, ['long'])
  await Promise.all(Array.from({ length: LONG }, () => log.say(publisher, ['long'], PADDING)))
  const readers = Array.from({ length: READERS }, (_, n) => {
    return new ReturningClient({ ...common, name: `reader ${n}`, topics: ['long', 'a'], cursor, pace })
  })
  t.teardown(() => readers.forEach(reader => reader.leave()))
  for (const reader of readers) reader.connect()
  await reach(readers, oldest)

  const stopped = new AbortController()
  t.teardown(() => stopped.abort())
  const published = publishSteadily(() => log.say(publisher, random.some(TOPICS)), PACE, stopped.signal)
  const drained = first.hub.drain({ within: WINDOW })
  open = second
  begun.resolve()
  // The hub's time stands still, so that nobody is cut because it is up.
  await drained
  await once(server.close(), 'close')
  const nothing = { streams: 0, topics: 0, identities: 0, addresses: 0, bufferedBytes: 0, gaps: 0 }
  t.like(first.hub.stats(), nothing)
  t.is(first.hub.stats().closed.drain, CLIENTS + READERS)
  // The beat of the instance goes on until the hub is closed.
  await eventually(
    () => first.clock.pending === 1,
    () => `${first.clock.pending} timers are left`,
  )

  const all = [...clients, ...readers]
  await Promise.all(all.map(client => client.isLive(draining)))
  stopped.abort()
  await published
  await reach(all, await log.say(publisher, [...TOPICS, 'long']))
  t.deepEqual(all.flatMap(client => client.check()).slice(0, 5), [])
  for (const group of [clients, readers]) {
    const told = group.map(({ absences }) => absences[0]?.retry ?? NaN)
    t.true(
      told.every(retry => retry >= LEAST && retry <= WINDOW),
      told.join(),
    )
    // What the drain told them, and not the opening: by chance once in ten million times, for ten readers.
    t.true(Math.max(...told) > RETRY * 1.5, told.join())
  }
  t.deepEqual(
    readers.map(({ absences }) => absences[0]?.wasLive),
    readers.map(() => false),
  )
  t.deepEqual([...first.causes, ...second.causes], [])

  for (const client of all) client.leave()
  const admin = new Redis(redis.url)
  t.teardown(async () => admin.disconnect())
  await eventually(
    async () => (await admin.keys('{events}:places:*')).length === 0,
    () => 'Places are left',
  )
})

/** An instance on Redis, with one place for each client over all instances. */
async function openInstance(t: ExecutionContext, redis: RedisServer) {
  const clock = new ManualClock()
  const broker = redisBroker({ client: redis.url, history: HISTORY, ...PATIENT })
  const endpoint = await openEndpoint(
    t,
    {
      retry: RETRY,
      limits: { shared: { identity: 1 } },
      subscribe: (_stream, ctx) => String(ctx.query.topics).split(','),
    },
    { hub: { broker, clock } },
  )
  return { ...endpoint, clock }
}

async function reach(clients: readonly ReturningClient[], seq = Infinity): Promise<void> {
  await Promise.all(clients.map(client => client.reaches(seq)))
}
