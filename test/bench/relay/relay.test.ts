import test from 'ava'
import { contenders, type ContenderName } from './contenders.ts'
import { measureDelivery } from './measures.ts'

// Whether each runs and measures, never how fast.
for (const name of Object.keys(contenders) as ContenderName[]) {
  test(`an answer to many readers is measured: ${name}`, async t => {
    const measured = await measureDelivery(name, 3, { tokens: 20, rate: 100 })
    t.true(
      Object.values(measured).every(figure => Number.isFinite(figure)),
      JSON.stringify(measured),
    )
    t.true(measured.publishes > 0)
  })
}
