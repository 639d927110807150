import test from 'ava'
import { koaVersions } from '../support/koa-versions.ts'
import { seedOf } from '../support/random.ts'
import { Fuzz } from './fuzz.ts'

const REQUESTS = 2_500

for (const [name, Koa] of koaVersions) {
  test.serial(`${name} with everything on stands ${REQUESTS} random requests`, async t => {
    const seed = seedOf(process.env)
    t.log(`SEED=${seed}`)
    const fuzz = new Fuzz(seed, new Koa())
    t.teardown(() => fuzz.close())
    await fuzz.run(REQUESTS)
    t.deepEqual(fuzz.failures, [])

    const { opened, closed, refused, published } = fuzz.stats
    t.is(
      Object.values(closed).reduce((sum, count) => sum + count),
      opened,
    )
    t.log(Object.fromEntries(fuzz.answers), { opened, published, closed, refused })
    // What it must have come across to be worth its while.
    for (const status of ['200', '204', '400', '401', '403', '404', '405', '406', '503']) {
      t.true(fuzz.answers.has(status), `nobody was answered ${status}`)
    }
    for (const reason of ['client', 'server', 'done', 'error'] as const) {
      t.true(closed[reason] > 0, `no stream ended as ${reason}`)
    }
  })
}
