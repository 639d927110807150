import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { describe, simulateMany } from './pool.ts'
import { simulate } from './simulation.ts'

/**
 * npm run simulate -- [--runs N] [--seed S] [--processes P] [--trace]
 *
 * Lives through runs with the seeds from S on, in P processes; with `--trace` through one, and prints all that happens.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string' },
    seed: { type: 'string' },
    processes: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
})
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
if (values.trace) {
  const report = await simulate(first, line => console.log(line))
  console.log(report)
  process.exitCode = report.complaints.length === 0 ? 0 : 1
} else {
  const runs = Number(values.runs ?? (values.seed === undefined ? 1_000 : 1))
  const processes = Math.min(runs, Number(values.processes ?? availableParallelism()))
  const { failed, faults, least, cpuTime } = await simulateMany(first, runs, processes)
  for (const report of failed) console.log(describe(report))
  for (const [name, count] of [...faults].sort(([a], [b]) => a.localeCompare(b))) console.log(`${count} × ${name}`)
  console.log(`seeds ${first} to ${first + runs - 1}: ${failed.length} of ${runs} runs failed`)
  console.log(`at least ${least.published} publishes and ${least.faults} faults a run`)
  console.log(`${(cpuTime / runs).toFixed(1)} ms of CPU a run`)
  process.exitCode = failed.length === 0 ? 0 : 1
}
