/**
 * What metrics cost: `npm run bench:metrics -- [pairs]`, 60 unless told otherwise. The load of `steady`, in one process, in
 * blocks with metrics and without in turn, so that each is compared with its neighbour: runs of different processes differ by
 * more than what is looked for.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { metrics } from 'koa-event-stream/prometheus'
import { Registry } from 'prom-client'
import type { LoadCommands } from './load/main.ts'
import { eventsOf, Publisher } from './plan.ts'
import { LOAD_CORE, pin, SERVER_CORE, start } from './processes.ts'
import { Remote } from './remote.ts'
import { news } from './workloads/news.ts'

const [STREAMS, SECONDS, RATE, WARM_UP] = [2_000, 1.5, 20, 4]

const pairs = Number(process.argv[2] ?? 60)
pin(process.pid, SERVER_CORE)
const hub = createHub()
const app = new Koa()
const limits = { address: 1_000_000, process: 1_000_000 }
app.use(eventStream({ hub, authenticate: false, limits, heartbeat: false, subscribe: () => 'news' }))
const server = createServer(app.callback()).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
await once(server, 'listening')
const script = fileURLToPath(new URL('load/main.js', import.meta.url))
const load = await Remote.connect<LoadCommands>(start([process.execPath, script], LOAD_CORE))
const { port } = server.address() as AddressInfo
await load.call('open', { port, path: '/events/news', count: STREAMS })
const publisher = new Publisher((topic, data) => hub.publish(topic, { data }))

for (let n = 0; n < WARM_UP; n += 1) await block(n % 2 === 0)
const differences: number[] = []
let without = 0
for (let n = 0; n < pairs; n += 1) {
  const isFirst = n % 2 === 0
  const [one, other] = [await block(isFirst), await block(!isFirst)]
  const [on, off] = isFirst ? [one, other] : [other, one]
  differences.push(on - off)
  without += off / pairs
}
const mean = differences.reduce((a, b) => a + b, 0) / pairs
const variance = differences.reduce((sum, difference) => sum + (difference - mean) ** 2, 0) / (pairs - 1)
const error = Math.sqrt(variance / pairs)
const percent = (value: number) => `${((value / without) * 100).toFixed(2)} %`
console.log(`CPU a delivery without metrics: ${without.toFixed(2)} µs, of ${pairs} pairs of ${SECONDS} s`)
console.log(`with metrics: ${percent(mean)} more, standard error ${percent(error)}`)
await load.stop()
await hub.close()
server.close()

/** Microseconds of CPU a delivery. */
async function block(isMeasured: boolean): Promise<number> {
  const measured = isMeasured ? metrics(hub, { register: new Registry(), topic: topic => topic }) : undefined
  const plan = news(SECONDS, RATE)
  const each = eventsOf(plan)
  await load.call('clear')
  const before = process.cpuUsage()
  await Promise.all([publisher.follow(plan), load.call('receive', { clients: STREAMS, each })])
  const { user, system } = process.cpuUsage(before)
  measured?.close()
  return (user + system) / (STREAMS * each)
}
