import { setTimeout } from 'node:timers/promises'
import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'

const HEARTBEAT = 15_000
// The first openings are not counted: they pay for what is compiled and allocated once.
const WARM_UP = { full: 500, quick: 200, smoke: 10 }
// A whole round of heartbeats; in quick runs, memory is what counts.
const SECONDS = { full: 15, quick: 1, smoke: 0.2 }

/** Streams that get nothing but heartbeats. */
export function idle(name: string, streams: number, contenders: readonly string[]): Workload {
  return {
    name,
    about: `${streams.toLocaleString('en')} streams, a comment every 15 s to each`,
    metrics: [
      { key: 'memory', title: 'memory a stream', unit: 'KiB' },
      { key: 'core', title: 'CPU of heartbeats', unit: '% of a core' },
    ],
    contenders,
    run: async (contender, build, size) => {
      const [count, warmUp] = [size === 'smoke' ? 20 : streams, WARM_UP[size]]
      const rig = await Rig.start(contender, build, { heartbeat: HEARTBEAT })
      try {
        const headers = await rig.server.credentials(count + warmUp)
        await rig.open({ path: '/events/news', headers: headers.slice(count), count: warmUp })
        const before = await rig.memory()
        await rig.open({ path: '/events/news', headers, count })
        const after = await rig.memory()
        const { cpu, seconds } = await rig.cost(() => setTimeout(SECONDS[size] * 1_000))
        return { memory: (after - before) / count / 1_024, core: (cpu / 1e6 / seconds) * 100 }
      } finally {
        await rig.stop()
      }
    },
  }
}
