import { simulate, type Report } from './simulation.ts'

// Lives through runs in a process of its own, and tells of them: `worker.js FIRST RUNS STEP`.

// To tell of one by one would cost more than some of what they do.
const TOLD_AT_ONCE = 50

// Nobody reads the stacks of errors that are part of a run.
Error.stackTraceLimit = 0
const [first = 0, runs = 0, step = 1] = process.argv.slice(2).map(Number)
let reports: Report[] = []
const tell = (): void => {
  process.send?.({ reports })
  reports = []
}
for (let n = 0; n < runs; n += 1) {
  if (reports.push(await simulate(first + n * step)) === TOLD_AT_ONCE) tell()
}
tell()
process.send?.({ cpu: process.cpuUsage() }, () => process.disconnect())
