import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'
import { SENDERS } from './line-ups.ts'
import { news } from './news.ts'

const SIZES = {
  full: { streams: 2_000, seconds: 10 },
  quick: { streams: 500, seconds: 3 },
  smoke: { streams: 20, seconds: 0.5 },
}
const RATE = 20

export const steady: Workload = {
  name: 'steady',
  about: '2,000 streams of one topic, 20 events of 150 bytes a second',
  metrics: [
    { key: 'cpu', title: 'CPU a delivery', unit: 'µs' },
    { key: 'p50', title: 'median latency', unit: 'ms' },
    { key: 'p99', title: 'p99 latency', unit: 'ms' },
  ],
  contenders: SENDERS,
  run: async (contender, build, size) => {
    const { streams, seconds } = SIZES[size]
    const rig = await Rig.start(contender, build)
    try {
      const headers = await rig.server.credentials(streams)
      await rig.open({ path: '/events/news', headers, count: streams })
      await rig.deliver(news(seconds / 3, RATE), streams)
      const { cpu, result } = await rig.cost(() => rig.deliver(news(seconds, RATE), streams))
      const deliveries = streams * Math.round(seconds * RATE)
      return { cpu: cpu / deliveries, p50: result.p50, p99: result.p99 }
    } finally {
      await rig.stop()
    }
  },
}
