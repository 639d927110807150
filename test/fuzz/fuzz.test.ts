import test from 'ava'
import { koaVersions } from '../support/koa-versions.ts'
import { seedOf } from '../support/random.ts'
import { Fuzz } from './fuzz.ts'

const REQUESTS = 2_500
const MORE = 250

// What it must come across to be worth its while.
const STATUSES = ['200', '204', '400', '401', '403', '404', '405', '406', '503']
const REASONS = ['client', 'server', 'done', 'error'] as const

for (const [name, Koa] of koaVersions) {
  test.serial(`${name} with everything on stands ${REQUESTS} random requests`, async t => {
    const seed = seedOf(process.env)
    t.log(`SEED=${seed}`)
    const fuzz = new Fuzz(seed, new Koa())
    t.teardown(() => fuzz.close())
    await fuzz.run(REQUESTS)
    // A slow server's clients have left before they come across much: more come then.
    while (!hasSeenAll(fuzz)) await fuzz.run(MORE)
    t.deepEqual(fuzz.failures, [])

    const { opened, closed, refused, published } = fuzz.stats
    t.is(
      Object.values(closed).reduce((sum, count) => sum + count),
      opened,
    )
    t.log(Object.fromEntries(fuzz.answers), { opened, published, closed, refused })
  })
}

function hasSeenAll({ answers, stats: { closed } }: Fuzz): boolean {
  return STATUSES.every(status => answers.has(status)) && REASONS.every(reason => closed[reason] > 0)
}
