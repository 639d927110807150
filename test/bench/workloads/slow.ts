import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'
import { news } from './news.ts'

const SIZES = {
  full: { readers: 900, stalled: 100, seconds: 10, ballast: 52 },
  quick: { readers: 450, stalled: 50, seconds: 3, ballast: 52 },
  smoke: { readers: 18, stalled: 2, seconds: 0.5, ballast: 2 },
}
const RATE = 20
/** The kernel holds 2.5 MiB and more for a reader on the loopback that has stalled, and the server the rest. */
const BALLAST_BYTES = 65_536

export const slow: Workload = {
  name: 'slow',
  about: '1,000 streams, 20 events of 150 bytes a second, with a tenth of the readers stalled while 3 MB wait for each',
  metrics: [
    { key: 'p99', title: 'p99 latency of the others', unit: 'ms' },
    { key: 'p99without', title: 'p99 without the stalled', unit: 'ms' },
  ],
  contenders: ['node-http', 'koa-pass-through', 'nchan', 'gin', 'memory'],
  run: async (contender, build, size) => {
    const { readers, stalled, seconds, ballast } = SIZES[size]
    const rig = await Rig.start(contender, build)
    try {
      await rig.open({ path: '/events/news', count: readers })
      await rig.deliver(news(seconds / 3, RATE), readers)
      const without = await rig.deliver(news(seconds, RATE), readers)
      await rig.open({ path: '/events/news,ballast', count: stalled, stalled: true })
      await rig.server.publish({
        seconds: 1,
        parts: [{ topics: ['ballast'], each: ballast, lane: 1, data: BALLAST_BYTES }],
      })
      await rig.deliver(news(seconds / 3, RATE), readers)
      const { p99 } = await rig.deliver(news(seconds, RATE), readers)
      return { p99, p99without: without.p99 }
    } finally {
      await rig.stop()
    }
  },
}
