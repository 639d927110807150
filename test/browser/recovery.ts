import test from 'ava'
import { faults } from './faults.ts'
import { inBrowsers } from './in-browsers.ts'
import { openLiveSite } from './live-site.ts'
import { note, writeTable } from './recovery-table.ts'
import { RETRY } from './site.ts'

const isMeasured = process.env.MEASURE !== undefined

// Measured as an application has it that sets nothing; tested with the least that may be set.
const ROUNDS = isMeasured ? 3 : 1
const STREAM = isMeasured ? { retry: 3_000, heartbeat: 25_000 } : { retry: RETRY, heartbeat: 1_000 }

/** After so many milliseconds the client takes a silent connection for dead. */
const SILENCE = STREAM.heartbeat * 1.25 + 2_000

for (const { title, from, happen, ...options } of faults) {
  inBrowsers(`a page reads on after ${title}`, async (t, openPage, browser) => {
    const site = await openLiveSite(t, openPage, { stream: STREAM, ...options })
    const { lists, publish, shown } = site
    const rounds: number[][] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      // The client waits ever longer on a page that has had a fault a moment ago.
      if (round > 0) await site.reload()
      await shown(await publish())
      const start = await happen(t, site, SILENCE + 500)
      const seen = await shown(3 * round + 2)
      rounds.push(seen.map(at => at - start))
      await shown(await publish())
    }
    for (const [index, [transport, { numbers, stream }]] of [...lists].entries()) {
      t.deepEqual(
        numbers,
        Array.from({ length: 3 * ROUNDS }, (_, n) => n + 1),
      )
      // Nothing was found to be missing: what was missed was read.
      t.true(stream.all('load').every(({ data }) => data === 'start'))
      t.log(note({ title, from, browser, transport, times: rounds.map(times => times[index] ?? NaN) }))
    }
  })
}

inBrowsers('a page reads on in a network that holds bytes back until the end', async (t, openPage, browser) => {
  const { lists, publish, shown } = await openLiveSite(t, openPage, { stream: STREAM, fault: { kind: 'hold' } })
  for (const { stream } of lists.values()) while ((await stream.next('open')).data !== 'poll');
  const rounds: number[][] = []
  for (let round = 0; round < 5; round += 1) {
    const start = performance.now()
    const seen = await shown(await publish())
    rounds.push(seen.map(at => at - start))
  }
  for (const [index, [transport, { numbers, stream }]] of [...lists].entries()) {
    t.deepEqual(numbers, [1, 2, 3, 4, 5])
    t.is(stream.observations.findLast(({ name }) => name === 'open')?.data, 'poll')
    const title = 'a network that holds bytes back'
    t.log(note({ title, from: 'each event', browser, transport, times: rounds.map(times => times[index] ?? NaN) }))
  }
})

if (isMeasured) test.after('the table is written', writeTable)
