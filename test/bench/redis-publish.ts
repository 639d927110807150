/**
 * What Redis costs: `npm run bench:redis -- [events]`, 200,000 unless told otherwise. Publishes a second, and the time an
 * event takes to a client over HTTP, with the engine in memory for comparison.
 *
 * One process publishes events of 200 bytes and receives them back; Redis runs on the same machine. Rates are of events
 * that have come back. What it costs both in CPU time says more than the rate where other programs want the machine, and
 * so does the baseline: the same events by bare XADD and PUBLISH, in pipelines of the same length.
 */
import { Redis } from 'ioredis'
import { memoryBroker } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { startRedis } from '../support/redis-server.ts'
import { httpLatency } from './http-latency.ts'
import { Listening, received } from './received.ts'

const events = Number(process.argv[2] ?? 200_000)
const WARM_UP = 20_000
// Publishes under way at any time.
const WINDOW = 2_000
const body = Buffer.from(`data: ${'x'.repeat(200 - 'data: \n\n'.length)}\n\n`)

const redis = await startRedis()
const admin = new Redis(redis.url)
const broker = redisBroker({ client: redis.url, maxPending: WINDOW * 2 })
const heard = await received(broker, 'bench')
const bare = await bareCommands()
await measure('bare XADD and PUBLISH', bare)
bare.close()
await measure('this library', { heard, publish: () => broker.publish(['bench'], body) })
await broker.close()
const overRedis = await httpLatency(redisBroker({ client: redis.url, name: 'latency' }))
const inMemory = await httpLatency(memoryBroker())
console.log(`median time to a client over HTTP: Redis ${overRedis.toFixed(3)} ms, memory ${inMemory.toFixed(3)} ms`)
admin.disconnect()
await redis.stop()

interface Contender {
  readonly heard: Listening
  publish(): Promise<unknown>
}

async function measure(name: string, contender: Contender): Promise<void> {
  await flood(contender, WARM_UP)
  const [start, own, of] = [process.hrtime.bigint(), process.cpuUsage(), await cpuOfRedis()]
  await flood(contender, events)
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  const { user, system } = process.cpuUsage(own)
  const rate = Math.round(events / seconds).toLocaleString('en')
  const cost = (microseconds: number) => `${(microseconds / events).toFixed(1)} µs`
  const redisCost = cost((await cpuOfRedis()) - of)
  console.log(`${name}: ${rate} a second, received back; CPU each: ${cost(user + system)} here, ${redisCost} in Redis`)
}

/** Keeps so many publishes under way until all have come back. */
async function flood({ heard, publish }: Contender, count: number): Promise<void> {
  const all = heard.more(count)
  let left = count
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await publish()
    }
  }
  await Promise.all(Array.from({ length: WINDOW }, worker))
  await all
}

/** Microseconds. */
async function cpuOfRedis(): Promise<number> {
  const info = await admin.info('cpu')
  const spent = [...info.matchAll(/^used_cpu_(?:sys|user):(.*)$/gm)].map(([, seconds]) => Number(seconds))
  return spent.reduce((a, b) => a + b) * 1e6
}

async function bareCommands(): Promise<Contender & { close(): void }> {
  const client = new Redis(redis.url, { enableAutoPipelining: true })
  const subscriber = new Redis(redis.url)
  const heard = new Listening()
  subscriber.on('messageBuffer', () => heard.hear())
  await subscriber.subscribe('bare')
  return {
    heard,
    publish: () =>
      Promise.all([client.xadd('bare-stream', 'MAXLEN', 1_000, '*', 'd', body), client.publish('bare', body)]),
    close: () => {
      client.disconnect()
      subscriber.disconnect()
    },
  }
}
