import type { Protocol } from '../load/client.ts'
import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'
import { news } from './news.ts'

const SIZES = {
  full: { streams: 2_000, warmUp: 200, seconds: 10 },
  quick: { streams: 500, warmUp: 100, seconds: 3 },
  smoke: { streams: 20, warmUp: 10, seconds: 0.5 },
}
/** Events a second. */
const RATE = 5

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  https: { name: 'https' },
  'http2-1': { name: 'http2', streams: 1 },
  'http2-10': { name: 'http2', streams: 10 },
  'http2-100': { name: 'http2', streams: 100 },
}

export const protocols: Workload = {
  name: 'protocols',
  about: '2,000 streams of one topic, 5 events of 150 bytes a second, by the protocols that Node serves',
  metrics: [
    { key: 'memory', title: 'memory a stream', unit: 'KiB' },
    { key: 'cpu', title: 'CPU a delivery', unit: 'µs' },
    { key: 'opening', title: 'CPU an opening', unit: 'µs' },
    { key: 'p50', title: 'median latency', unit: 'ms' },
    { key: 'p99', title: 'p99 latency', unit: 'ms' },
  ],
  contenders: ['memory', ...Object.keys(PROTOCOLS)],
  run: async (contender, build, size) => {
    const { streams, warmUp, seconds } = SIZES[size]
    const protocol = PROTOCOLS[contender.name]
    const common = { path: '/events/news', ...(protocol && { protocol }) }
    const rig = await Rig.start(contender, build)
    try {
      await rig.open({ ...common, count: warmUp })
      const before = await rig.memory()
      const count = streams - warmUp
      const opening = await rig.cost(() => rig.open({ ...common, count }))
      const memory = ((await rig.memory()) - before) / count
      await rig.deliver(news(seconds / 3, RATE), streams)
      const { cpu, result } = await rig.cost(() => rig.deliver(news(seconds, RATE), streams))
      const deliveries = streams * Math.round(seconds * RATE)
      return {
        memory: memory / 1_024,
        cpu: cpu / deliveries,
        opening: opening.cpu / count,
        p50: result.p50,
        p99: result.p99,
      }
    } finally {
      await rig.stop()
    }
  },
}
