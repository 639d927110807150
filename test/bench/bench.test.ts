import test from 'ava'
import { build } from './build.ts'
import { contenders } from './contenders/index.ts'
import { workloads } from './workloads/index.ts'

// Whether each runs and measures, never how fast. The other engine and the other kind of server take part in one of them.
const taking = contenders.filter(({ name }) =>
  ['node-http', 'memory', 'gzip', 'redis', 'session-redis', 'http2-10'].includes(name),
)
const WITH_ALL = ['steady', 'protocols']

let compiled: string

test.before(async () => {
  compiled = await build()
})

for (const workload of workloads) {
  test(`${workload.name} is measured`, async t => {
    for (const contender of taking) {
      if (!workload.contenders.includes(contender.name)) continue
      const isEnough = WITH_ALL.includes(workload.name) || contender.name === 'memory'
      if (!isEnough && workload.contenders.includes('memory')) continue
      const measures = await workload.run(contender, compiled, 'smoke')
      t.deepEqual(Object.keys(measures).sort(), workload.metrics.map(({ key }) => key).sort(), contender.title)
      t.true(Object.values(measures).every(Number.isFinite), `${contender.title}: ${JSON.stringify(measures)}`)
    }
  })
}
