import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FaultName } from './faults.ts'
import type { Report } from './simulation.ts'

/** What many runs came to. */
export interface Summary {
  readonly runs: number
  readonly failed: readonly Report[]
  readonly faults: ReadonlyMap<FaultName, number>
  /** Milliseconds. */
  readonly cpuTime: number
  /** The fewest of anything in a run. */
  readonly least: { readonly published: number; readonly faults: number }
}

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url))

// Much is made and soon forgotten: most of it need never be moved.
const YOUNG_MEGABYTES = 64

interface News {
  readonly reports?: readonly Report[]
  readonly cpu?: NodeJS.CpuUsage
}

/** Lives through runs with the seeds from `first` on, in so many processes. */
export async function simulateMany(first: number, runs: number, processes: number): Promise<Summary> {
  const failed: Report[] = []
  const faults = new Map<FaultName, number>()
  const least = { published: Infinity, faults: Infinity }
  let done = 0
  let cpuTime = 0
  const take = (report: Report): void => {
    done += 1
    if (report.complaints.length > 0) failed.push(report)
    let sum = 0
    for (const [name, count] of Object.entries(report.faults) as [FaultName, number][]) {
      faults.set(name, (faults.get(name) ?? 0) + count)
      sum += count
    }
    least.faults = Math.min(least.faults, sum)
    least.published = Math.min(least.published, report.published)
  }
  await Promise.all(
    Array.from({ length: processes }, async (_, n) => {
      const share = [first + n, Math.ceil((runs - n) / processes), processes].map(String)
      const worker = fork(WORKER, share, { execArgv: [`--max-semi-space-size=${YOUNG_MEGABYTES}`] })
      worker.on('message', ({ reports, cpu }: News) => {
        reports?.forEach(take)
        if (cpu !== undefined) cpuTime += (cpu.user + cpu.system) / 1_000
      })
      const [code] = (await once(worker, 'exit')) as [number | null]
      if (code !== 0) throw new Error(`a process of the simulation ended with ${code ?? 'a signal'}`)
    }),
  )
  return { runs: done, failed: failed.sort((a, b) => a.seed - b.seed), faults, least, cpuTime }
}

/** What there is to say about a run that failed, and how it can be lived through again. */
export function describe({ seed, complaints }: Report): string {
  const some = complaints.slice(0, 5).map(what => `  ${what}`)
  return [`seed ${seed} fails: npm run simulate -- --seed ${seed} --trace`, ...some].join('\n')
}
