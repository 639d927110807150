import test from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { SCHEMES } from './schemes.ts'
import { Table } from './table.ts'

for (const scheme of SCHEMES) {
  test(`${scheme.name}: no stream outlives a login that ends while it is opened`, async t => {
    const table = await Table.open(t, { scheme, brokers: [memoryBroker()], hearings: ['in time'] })
    const { count, moments, wrong } = await table.run()
    t.deepEqual(wrong, [])
    t.log(`${count} cells; ${moments.join(' → ')}`)
  })
}

for (const scheme of SCHEMES) {
  test(`${scheme.name}: the table finds what is wrong with an instance that hears nothing`, async t => {
    const table = await Table.open(t, { scheme, brokers: [memoryBroker()], hearings: ['never'] })
    const { count, moments, wrong } = await table.run()
    // Questions to a store find out some of it.
    t.true(wrong.length > moments.length / 2, wrong.join())
    t.log(`${wrong.length} of ${count} cells`)
  })
}
