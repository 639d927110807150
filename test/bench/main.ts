/**
 * `npm run bench -- [workload…] [--only contender,…] [--rounds 3] [--quick]`: see README.md beside this file.
 */
import { rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { build } from './build.ts'
import { canPin } from './processes.ts'
import { table } from './report/table.ts'
import { run } from './run.ts'
import { workloads } from './workloads/index.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
  },
})
const unknown = positionals.filter(name => !workloads.some(workload => workload.name === name))
if (unknown.length > 0) {
  throw new TypeError(
    `no workload is called ${unknown.join()}: there are ${workloads.map(({ name }) => name).join(', ')}`,
  )
}
if (!canPin) console.error('There is no `taskset` here, or one core only: processes are not kept apart.')

const folder = await build()
try {
  for (const workload of workloads) {
    if (positionals.length > 0 && !positionals.includes(workload.name)) continue
    const results = await run(workload, {
      build: folder,
      rounds: Number(values.rounds),
      size: values.quick ? 'quick' : 'full',
      ...(values.only === undefined ? {} : { only: values.only.split(',') }),
    })
    console.log(`\n## ${workload.name}\n\n${workload.about}\n\n${table(workload, results)}\n`)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
