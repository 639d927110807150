import { Rig } from '../rig.ts'
import type { Workload } from '../workload.ts'
import { OPENERS } from './line-ups.ts'

const SIZES = {
  full: { warmUp: 1_000, levels: [1_000, 5_000, 15_000], sample: 1_000, storm: 5_000 },
  quick: { warmUp: 300, levels: [300, 1_000, 2_000], sample: 300, storm: 1_000 },
  smoke: { warmUp: 5, levels: [5, 10, 20], sample: 5, storm: 20 },
}

/** Every client has its own topic beside that of all. */
const PATH = '/events/news,own-{i}'

export const opening: Workload = {
  name: 'opening',
  about: '5,000 streams opened at once, and 1,000 more while 1,000, 5,000 and 15,000 are open',
  metrics: [
    { key: 'cpu', title: 'CPU an opening', unit: 'µs' },
    { key: 'rate', title: 'openings', unit: '/s' },
    { key: 'at1000', title: 'at 1,000', unit: 'µs' },
    { key: 'at5000', title: 'at 5,000', unit: 'µs' },
    { key: 'at15000', title: 'at 15,000', unit: 'µs' },
  ],
  contenders: OPENERS,
  run: async (contender, build, size) => {
    const { warmUp, levels, sample, storm } = SIZES[size]
    const rig = await Rig.start(contender, build)
    try {
      const headers = await rig.server.credentials(Math.max(...levels, warmUp + storm) + sample)
      let open = 0
      const openMore = async (count: number) => {
        const cost = await rig.cost(() => rig.open({ path: PATH, headers: headers.slice(open, open + count), count }))
        open += count
        return cost
      }
      await openMore(warmUp)
      const at: number[] = []
      for (const level of levels) {
        if (level > open) await openMore(level - open)
        at.push((await openMore(sample)).cpu / sample)
      }
      const [at1000 = NaN, at5000 = NaN, at15000 = NaN] = at
      await rig.close()
      open = 0
      const { cpu, seconds } = await openMore(storm)
      return { cpu: cpu / storm, rate: storm / seconds, at1000, at5000, at15000 }
    } finally {
      await rig.stop()
    }
  },
}
