import type { Plan } from '../plan.ts'
import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'

const SIZES = {
  full: { streams: 2_000, seconds: 10 },
  quick: { streams: 500, seconds: 3 },
  smoke: { streams: 20, seconds: 1 },
}
const SHARED = ['news', 'weather']
/** Events a second of each shared topic. */
const SHARED_RATE = 10
const BYTES = 150

export const topics: Workload = {
  name: 'topics',
  about:
    '2,000 streams, each with a topic of its own and two that all have: 2,000 events a second to the own topics, ' +
    '10 to each of the others',
  metrics: [
    { key: 'cpu', title: 'CPU a delivery', unit: 'µs' },
    { key: 'p50', title: 'median latency', unit: 'ms' },
    { key: 'p99', title: 'p99 latency', unit: 'ms' },
  ],
  contenders: ['node-http', 'koa-response', 'koa-pass-through', 'nchan', 'gin', 'memory', 'redis'],
  run: async (contender, build, size) => {
    const { streams, seconds } = SIZES[size]
    const rig = await Rig.start(contender, build)
    try {
      await rig.open({ path: `/events/own-{i},${SHARED.join()}`, count: streams })
      await rig.deliver(plan(Math.ceil(seconds / 3), streams), streams)
      const { cpu, result } = await rig.cost(() => rig.deliver(plan(seconds, streams), streams))
      const deliveries = streams * seconds * (1 + SHARED.length * SHARED_RATE)
      return { cpu: cpu / deliveries, p50: result.p50, p99: result.p99 }
    } finally {
      await rig.stop()
    }
  },
}

function plan(seconds: number, streams: number): Plan {
  const own = Array.from({ length: streams }, (_, i) => `own-${i}`)
  const shared = SHARED.map((topic, i) => {
    return { topics: [topic], each: seconds * SHARED_RATE, lane: i + 1, data: BYTES }
  })
  return { seconds, parts: [{ topics: own, each: seconds, lane: 0, data: BYTES }, ...shared] }
}
