import { build } from '../build.ts'
import { contendersOf } from '../contenders/index.ts'
import type { Options } from '../options.ts'
import { table } from '../report/table.ts'
import { run, type Results } from '../run.ts'
import { comparison } from './comparison.ts'
import { lineUp } from './line-up.ts'

/** Measures the library beside what it was at an earlier revision, and prints both and their ratios. */
export async function compare(revision: string, { taking, only = [], rounds, size }: Options): Promise<void> {
  const compiled = await build()
  const ours = await lineUp(revision, compiled)
  const measured = new Map<string, Results>()
  try {
    for (const workload of taking) {
      const contenders = [...Object.values(ours), ...contendersOf(workload, only)]
      const results = await run(workload, contenders, { build: compiled, rounds, size })
      measured.set(workload.name, results)
      console.log(`\n## ${workload.name}\n\n${workload.about}\n\n${table(workload, results, contenders)}\n`)
    }
  } finally {
    // A workload that fails leaves what those before it have measured.
    console.log(`\n## before and now\n\nMedians of ${rounds} rounds.\n\n${comparison(taking, measured, ours)}\n`)
  }
}
