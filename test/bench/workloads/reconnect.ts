import type { Plan } from '../plan.ts'
import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'

const SIZES = {
  full: { clients: 5_000, warmUp: 1_000 },
  quick: { clients: 1_000, warmUp: 300 },
  smoke: { clients: 20, warmUp: 5 },
}
/** What each client has missed, by topic. */
const MISSED = { news: 34, weather: 33, market: 33 }
const TOTAL = Object.values(MISSED).reduce((a, b) => a + b)
const PATH = `/events/${Object.keys(MISSED).join()}`
const BYTES = 150
const CONCURRENCY = 500

export const reconnect: Workload = {
  name: 'reconnect',
  about: '5,000 clients come back at once, each 100 events behind on 3 topics',
  metrics: [
    { key: 'seconds', title: 'all caught up', unit: 's' },
    { key: 'storm', title: 'opened as newcomers', unit: 's' },
    { key: 'cpu', title: 'CPU a client', unit: 'µs' },
  ],
  contenders: ['memory', 'redis'],
  run: async (contender, build, size) => {
    const { clients, warmUp } = SIZES[size]
    const rig = await Rig.start(contender, build)
    const storm = (count: number, cursor?: string) => {
      const headers = cursor === undefined ? [] : Array.from({ length: count }, () => `Last-Event-ID: ${cursor}\r\n`)
      return rig.open({ path: PATH, headers, count, concurrency: CONCURRENCY })
    }
    try {
      await storm(1)
      await rig.noteIds()
      await rig.deliver(plan(), 1)
      const cursor = await rig.lastId()
      await rig.deliver(plan(), 1)
      await rig.close()
      await comeBack(warmUp)
      const opened = await storm(clients)
      await rig.close()
      const { cpu, result } = await rig.cost(() => comeBack(clients))
      return { seconds: result, storm: (opened.last - opened.first) / 1e6, cpu: cpu / clients }

      async function comeBack(count: number): Promise<number> {
        await rig.clear()
        const [{ first }, { last }] = await Promise.all([storm(count, cursor), rig.receive(count, TOTAL)])
        return (last - first) / 1e6
      }
    } finally {
      await rig.stop()
    }
  },
}

function plan(): Plan {
  const parts = Object.entries(MISSED).map(([topic, each], lane) => ({ topics: [topic], each, lane, data: BYTES }))
  return { seconds: 0.1, parts }
}
