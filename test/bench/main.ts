/** Runs workloads and prints what was measured: see README.md beside this file. */
import { compare } from './against/compare.ts'
import { build } from './build.ts'
import { contendersOf } from './contenders/index.ts'
import { readOptions } from './options.ts'
import { canPin } from './processes.ts'
import { resultsFolder } from './report/results-folder.ts'
import { table } from './report/table.ts'
import { verdictTable } from './report/verdicts.ts'
import { run, type Results } from './run.ts'
import { measureSavings } from './savings/measure.ts'
import { judge } from './targets.ts'
import { exitOnSignals } from './temporary.ts'
import { workloads } from './workloads/index.ts'

exitOnSignals()
const options = readOptions(process.argv.slice(2))
const folder = resultsFolder(workloads)
if (options.redraw) {
  await folder.draw()
} else {
  if (!canPin) console.error('There is no `taskset` here, or one core only: processes are not kept apart.')
  if (options.size !== 'full')
    console.error('This is a small run: it shows that all works, and its numbers say nothing.')
  if (options.savings) await measureSavings(options)
  else if (options.against !== undefined) await compare(options.against, options)
  else await measure()
}

async function measure(): Promise<void> {
  const { taking, only, rounds, size, save } = options
  const measured = new Map<string, Results>()
  const compiled = await build()
  for (const workload of taking) {
    const results = await run(workload, contendersOf(workload, only), { build: compiled, rounds, size })
    measured.set(workload.name, results)
    console.log(`\n## ${workload.name}\n\n${workload.about}\n\n${table(workload, results)}\n`)
    if (save) await folder.save(workload, results, rounds)
  }
  const verdicts = judge(measured).filter(({ verdict }) => verdict !== 'not measured')
  if (verdicts.length > 0) console.log(`\n## targets\n\n${verdictTable(verdicts)}\n`)
}
