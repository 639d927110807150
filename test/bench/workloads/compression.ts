import { Rig } from '../rig.ts'
import type { TextKind } from '../texts.ts'
import type { Metric, Size, Workload } from '../workload.ts'

/** Streams, and events a second: the more streams, the fewer, as a compressor a stream has to come along. */
const LEVELS = [
  { streams: 1, rate: 200 },
  { streams: 50, rate: 20 },
  { streams: 2_000, rate: 2 },
]
const SECONDS = { full: 10, quick: 3, smoke: 0.5 }
/** Events before anything counts: more than the 32 KiB of a window. */
const WARM_UP: Readonly<Record<TextKind, number>> = { json: 300, html: 20, tokens: 400 }
/** Times the rate, while they come. */
const HURRY = 10

/** What compression saves and costs on a kind of text. Streams are added to those before. */
export function compression(kind: TextKind, about: string): Workload {
  return {
    name: `compression-${kind}`,
    about: `${about}, to clients that take gzip: what one delivery to one of 1, 50 and 2,000 streams takes`,
    metrics: [...metricsOf('bytes', 'bytes a delivery', 'B'), ...metricsOf('cpu', 'CPU a delivery', 'µs')],
    contenders: ['koa-compress', 'nginx-gzip', 'nchan', 'memory', 'gzip'],
    run: async (contender, build, size) => {
      const measures: Record<string, number> = {}
      const rig = await Rig.start(contender, build)
      try {
        let open = 0
        for (const { streams, rate } of LEVELS) {
          const count = size === 'smoke' ? Math.min(streams, 20 + open) : streams
          await rig.open({ path: '/events/news', count: count - open, protocol: { name: 'gzip' } })
          open = count
          const { cpu, bytes } = await delivery(rig, kind, { count, rate, size })
          measures[`bytes${streams}`] = bytes
          measures[`cpu${streams}`] = cpu
        }
      } finally {
        await rig.stop()
      }
      return measures
    },
  }
}

function metricsOf(key: string, title: string, unit: string): Metric[] {
  return LEVELS.map(({ streams }) => ({
    key: `${key}${streams}`,
    title: `${title}, ${streams.toLocaleString('en')} ${streams === 1 ? 'stream' : 'streams'}`,
    unit,
  }))
}

async function delivery(
  rig: Rig,
  kind: TextKind,
  { count, rate, size }: { readonly count: number; readonly rate: number; readonly size: Size },
): Promise<{ cpu: number; bytes: number }> {
  const events = (each: number, seconds: number) => ({
    seconds,
    parts: [{ topics: ['news'], each, lane: 0, data: kind }],
  })
  const warmUp = size === 'full' ? WARM_UP[kind] : 10
  await rig.deliver(events(warmUp, warmUp / (rate * HURRY)), count)
  const each = Math.round(SECONDS[size] * rate)
  const { cpu, result } = await rig.cost(() => rig.deliver(events(each, SECONDS[size]), count))
  return { cpu: cpu / (count * each), bytes: result.bytes / (count * each) }
}
