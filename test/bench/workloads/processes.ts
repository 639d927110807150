import { startRedis } from '../../support/redis-server.ts'
import { eventsOf, type Plan } from '../plan.ts'
import { LOAD_CORE, SERVER_CORE } from '../processes.ts'
import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'
import { news } from './news.ts'

const SIZES = {
  full: { streams: 10_000, seconds: 20 },
  quick: { streams: 2_000, seconds: 5 },
  smoke: { streams: 20, seconds: 2 },
}
/** Events a second. */
const RATE = 1

export const processes: Workload = {
  name: 'processes',
  about:
    '20,000 streams on two processes that share Redis, one event of 150 bytes a second to all, on two cores in all',
  metrics: [
    { key: 'p50', title: 'median latency', unit: 'ms' },
    { key: 'p99', title: 'p99 latency', unit: 'ms' },
    { key: 'cpu', title: 'CPU a delivery', unit: 'µs' },
  ],
  contenders: ['redis'],
  run: async (contender, build, size) => {
    const { streams, seconds } = SIZES[size]
    const redis = await startRedis()
    const rigs: Rig[] = []
    try {
      for (const core of [SERVER_CORE, LOAD_CORE] as const) {
        const rig = await Rig.start(contender, build, { core, loadCore: undefined, redis: redis.url })
        rigs.push(rig)
        await rig.open({ path: '/events/news', count: streams })
      }
      const [publishing, other] = rigs
      if (publishing === undefined || other === undefined) throw new RangeError('there are two')
      const deliver = async (plan: Plan) => {
        await other.clear()
        return Promise.all([publishing.deliver(plan, streams), other.receive(streams, eventsOf(plan))])
      }
      await deliver(news(Math.ceil(seconds / 4), RATE))
      const { result, cpu } = await other.cost(() => publishing.cost(() => deliver(news(seconds, RATE))))
      const latencies = result.result
      return {
        // Of either half; the worse of the two is told.
        p50: Math.max(...latencies.map(({ p50 }) => p50)),
        p99: Math.max(...latencies.map(({ p99 }) => p99)),
        cpu: (cpu + result.cpu) / (2 * streams * seconds),
      }
    } finally {
      for (const rig of rigs) await rig.stop()
      await redis.stop()
    }
  },
}
