import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'

const HEARTBEAT = 15_000
const SIZES = {
  full: { streams: 5_000, warmUp: 500 },
  quick: { streams: 1_000, warmUp: 200 },
  smoke: { streams: 20, warmUp: 10 },
}
const PATH = '/events/news'

/** What an idle stream takes, of the process's memory and of its heap. */
export const idleMemory: Workload = {
  name: 'idle-memory',
  about: '5,000 idle streams',
  metrics: [
    { key: 'resident', title: 'resident', unit: 'bytes a stream' },
    { key: 'heap', title: 'heap', unit: 'bytes a stream' },
  ],
  contenders: [],
  run: async (contender, build, size) => {
    const { streams, warmUp } = SIZES[size]
    const rig = await Rig.start(contender, build, { heartbeat: HEARTBEAT })
    try {
      await rig.open({ path: PATH, count: warmUp })
      const before = await footprint(rig)
      await rig.open({ path: PATH, count: streams })
      const after = await footprint(rig)
      return { resident: (after.resident - before.resident) / streams, heap: (after.heap - before.heap) / streams }
    } finally {
      await rig.stop()
    }
  },
}

async function footprint(rig: Rig): Promise<{ resident: number; heap: number }> {
  // Garbage is collected first.
  const resident = await rig.memory()
  return { resident, heap: await rig.server.heap() }
}
