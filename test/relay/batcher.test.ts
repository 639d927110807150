import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { systemClock } from '../../lib/clock.ts'
import { Batcher } from '../../lib/relay/batcher.ts'
import { Deferred } from '../support/deferred.ts'

for (const bytes of [100, 9_000, 12_000, 16_384, 40_000]) {
  test(`a source of events of ${String(bytes)} bytes waits for a log that does not answer`, async t => {
    const answer = new Deferred<void>()
    const published: number[] = []
    const batcher = new Batcher(systemClock, 0, async batch => {
      published.push(...batch.events.map((_, index) => batch.first + index))
      await answer.promise
    })
    const all = Array.from({ length: 1_000 }, (_, index) => index + 1)
    let added = 0
    const adding = (async () => {
      for (const number of all) {
        await batcher.add({ event: [null, String(number)], bytes })
        added += 1
        // As a source does that always has its next event at hand.
        if (number % 32 === 0) await turn()
      }
    })()
    for (let waited = 0; waited < 100; waited += 1) await turn()
    t.true(added * bytes <= 2 * 16_384, `${String(added)} events have been taken`)
    answer.resolve()
    await adding
    await batcher.settled()
    t.deepEqual(published, all)
  })
}
