import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'
import { SENDERS } from './line-ups.ts'
import { news } from './news.ts'

const SIZES = {
  full: { streams: 1_000, events: 300 },
  quick: { streams: 500, events: 150 },
  smoke: { streams: 20, events: 15 },
}
const RATE = 3_000
/** Bursts that are not counted, since code is compiled in them, and bursts of which the median counts. */
const [WARM_UP, BURSTS] = [3, 5]

export const burst: Workload = {
  name: 'burst',
  about: '300 events of 150 bytes, 3,000 a second, to 1,000 streams of one topic',
  metrics: [
    { key: 'rate', title: 'deliveries', unit: '/s' },
    { key: 'cpu', title: 'CPU a delivery', unit: 'µs' },
  ],
  contenders: SENDERS,
  run: async (contender, build, size) => {
    const { streams, events } = SIZES[size]
    const rig = await Rig.start(contender, build)
    try {
      await rig.open({ path: '/events/news', headers: await rig.server.credentials(streams), count: streams })
      for (let n = 0; n < WARM_UP; n += 1) await rig.deliver(news(events / RATE, RATE), streams)
      const seconds: number[] = []
      const { cpu } = await rig.cost(async () => {
        for (let n = 0; n < BURSTS; n += 1) {
          const { first, last } = await rig.deliver(news(events / RATE, RATE), streams)
          seconds.push((last - first) / 1e6)
        }
      })
      const deliveries = streams * events
      const median = seconds.toSorted((a, b) => a - b)[Math.floor(BURSTS / 2)] ?? NaN
      return { rate: deliveries / median, cpu: cpu / deliveries / BURSTS }
    } finally {
      await rig.stop()
    }
  },
}
