import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { Redis } from 'ioredis'
import { createPublisher, redisBroker } from 'koa-event-stream/redis'
import { systemClock } from '../../lib/clock.ts'
import { openSite } from '../hub/site.ts'
import { LiveModelClient } from '../support/live-model-client.ts'
import { ModelClient } from '../support/model-client.ts'
import { ModelLog } from '../support/model-log.ts'
import { complaintsOf } from '../support/oracle.ts'
import { Random, seedOf } from '../support/random.ts'
import { startRedis } from '../support/redis-server.ts'
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { doMischief } from './mischief.ts'

const SECONDS = Number(process.env.RANDOM_SECONDS ?? 20)
const ROUND = 50
const CLIENTS = 240
// So many of them read through the library's own client.
const LIVE_CLIENTS = 60
const TOPICS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
// A few clients have much to read, so that those that stall fill the kernel's buffers and then their own.
const BIG = 'big'
const BIG_CLIENTS = 4
// A topic's history reaches back a few seconds: some absences are longer.
const KEPT = 30

/** What an instance could not say of itself during an outage is told once, and no harm. */
const ABOUT_ITSELF = ['instances', 'presence']

test('whatever happens to clients, connections and Redis, each event comes once, in order, or a gap is told', async t => {
  const seed = seedOf(process.env)
  t.log(`SEED=${seed}`)
  const random = new Random(seed)

  const server = await startRedis(t, { args: ['--client-output-buffer-limit', 'pubsub', '1mb', '0', '0'] })
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  const wayTo = (proxy: TcpProxy) => ({
    client: proxy.url.replace('http:', 'redis:'),
    history: { count: KEPT, bytes: 2 ** 26 },
    timeout: 500,
  })
  const proxies = [
    await openTcpProxy(server.port, t),
    await openTcpProxy(server.port, t),
    await openTcpProxy(server.port, t),
  ] as const
  const sites = await Promise.all(
    [proxies[0], proxies[1]].map(proxy =>
      openSite(t, {
        hub: { broker: redisBroker({ ...wayTo(proxy), watchdog: 300 }), clock: systemClock },
        buffer: { bytes: 524_288 },
        retry: 500,
        limits: { identity: 1_000, address: 1_000 },
      }),
    ),
  )
  const publisher = createPublisher(wayTo(proxies[2]))
  t.teardown(() => publisher.close())
  const publishers = [...sites.map(({ hub }) => hub), publisher]

  const log = new ModelLog()
  const ways = new Random(seed + 1)
  const clients = Array.from({ length: CLIENTS }, (_, n) => {
    const topics = n < BIG_CLIENTS ? [random.pick(TOPICS), BIG] : random.some(TOPICS)
    const server = () => ways.pick(sites).url
    const pause = () => (ways.chance(0.1) ? ways.between(4_000, 12_000) : ways.between(0, 500))
    const isLive = n >= CLIENTS - LIVE_CLIENTS
    return isLive ? new LiveModelClient({ topics, log, server }) : new ModelClient({ topics, log, server, pause })
  })
  for (const client of clients) client.connect()

  const stopped = new AbortController()
  const mischief = doMischief({ server, admin, proxies }, new Random(seed + 2), stopped.signal)
  const said: Promise<unknown>[] = []
  const sum = (count: (site: (typeof sites)[number]) => number) => sites.map(count).reduce((a, b) => a + b)
  const opened = () => sum(({ hub }) => hub.stats().opened)
  const gaps = () => sum(({ hub }) => hub.stats().gaps)
  // Whether a client is away for so long that it misses something is chance.
  const isPutToTheTest = () => opened() > CLIENTS && gaps() > 0
  for (let round = 0; round < (SECONDS * 1_000) / ROUND || !isPutToTheTest(); round += 1) {
    for (const publisher of publishers) {
      for (let n = random.between(0, 4); n > 0; n -= 1) {
        said.push(log.say(publisher, random.chance(0.2) ? random.some(TOPICS) : [random.pick(TOPICS)]))
      }
    }
    if (random.chance(0.2)) said.push(log.say(random.pick(publishers), [BIG], 'x'.repeat(200_000)))
    for (const [n, client] of clients.entries()) {
      const fate = random.next()
      if (fate < 0.006) client.cut()
      else if (fate < (n < BIG_CLIENTS ? 0.02 : 0.008)) client.stall()
      else if (fate < (n < BIG_CLIENTS ? 0.025 : 0.03)) client.resume()
    }
    await delay(ROUND)
  }
  stopped.abort()
  const faults = await mischief
  await Promise.all(said)
  for (const client of clients) client.resume()
  let end: number | undefined
  while (end === undefined) end = await log.say(publisher, [...TOPICS, BIG])
  const last = end
  await Promise.all(clients.map(client => client.reaches(last)))
  for (const client of clients) client.leave()
  await Promise.all(sites.map(({ isEmpty }) => isEmpty()))

  t.deepEqual(
    clients.flatMap(client => complaintsOf(client, log, KEPT).slice(0, 3)),
    [],
  )
  t.deepEqual(
    sites.flatMap(({ told }) => told.filter(one => one.name === 'fault' && !ABOUT_ITSELF.includes(one.during))),
    [],
  )
  t.log(`${log.published.length} events, ${opened()} streams, ${gaps()} gaps, ${faults.length} faults`)
})
