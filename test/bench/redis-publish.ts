/**
 * Publishes a second through Redis, and the time an event takes: `npm run bench:redis -- [events]`, 200,000 unless told
 * otherwise.
 *
 * One process publishes events of 200 bytes and receives them back; Redis runs on the same machine. Rates are of events
 * that have come back; times are medians of events published one by one, with the engine in memory for comparison.
 */
import { memoryBroker } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import type { Broker } from '../../lib/broker/broker.ts'
import { startRedis } from '../support/redis-server.ts'

const events = Number(process.argv[2] ?? 200_000)
// Publishes under way at any time.
const WINDOW = 2_000
const SINGLE = 5_000
const body = Buffer.from(`data: ${'x'.repeat(200 - 'data: \n\n'.length)}\n\n`)

const redis = await startRedis()
const broker = redisBroker({ client: redis.url, maxPending: WINDOW * 2 })
const heard = await listen(broker)
await flood(10_000)
const before = process.hrtime.bigint()
await flood(events)
const seconds = Number(process.hrtime.bigint() - before) / 1e9
console.log(`${Math.round(events / seconds).toLocaleString('en')} publishes a second, received back`)

const memory = memoryBroker()
const overRedis = await latency(broker, heard)
const inMemory = await latency(memory, await listen(memory))
console.log(`median time to the listener: Redis ${overRedis.toFixed(3)} ms, memory ${inMemory.toFixed(3)} ms`)
await broker.close()
await redis.stop()

interface Heard {
  count: number
  next: () => void
}

async function listen(on: Broker): Promise<Heard> {
  const state: Heard = { count: 0, next: () => undefined }
  on.listen({
    event: () => {
      state.count += 1
      state.next()
    },
    gap: (topics, reason) => {
      throw new Error(`a gap in ${topics.join()}: ${reason}`)
    },
    control: () => undefined,
    readiness: () => undefined,
    fault: (during, error) => {
      throw new Error(during, { cause: error })
    },
  })
  await on.subscribe('bench')
  return state
}

async function flood(count: number): Promise<void> {
  const end = heard.count + count
  const all = new Promise<void>(resolve => {
    heard.next = () => {
      if (heard.count === end) resolve()
    }
  })
  let left = count
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      await broker.publish(['bench'], body)
    }
  }
  await Promise.all(Array.from({ length: WINDOW }, worker))
  await all
}

async function latency(on: Broker, state: Heard): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < SINGLE; round += 1) {
    const arrived = new Promise<void>(resolve => {
      state.next = resolve
    })
    const start = process.hrtime.bigint()
    void on.publish(['bench'], body)
    await arrived
    times.push(Number(process.hrtime.bigint() - start) / 1e6)
  }
  return times.toSorted((a, b) => a - b)[SINGLE / 2] ?? NaN
}
