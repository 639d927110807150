import { simulate } from './simulation.ts'

// Lives through runs in a process of its own, and tells of each: `worker.js FIRST RUNS STEP`.

// Nobody reads the stacks of errors that are part of a run.
Error.stackTraceLimit = 0
const [first = 0, runs = 0, step = 1] = process.argv.slice(2).map(Number)
for (let n = 0; n < runs; n += 1) process.send?.({ report: await simulate(first + n * step) })
process.send?.({ cpu: process.cpuUsage() }, () => process.disconnect())
