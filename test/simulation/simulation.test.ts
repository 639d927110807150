import test from 'ava'
import { FAULT_NAMES } from './faults.ts'
import { rounds } from '../support/soak.ts'
import { describe, simulateMany } from './pool.ts'
import { simulate } from './simulation.ts'

const RUNS = rounds(1_500)
// The same ones each time, so that what fails is the change; `npm run simulate` lives through others.
const FIRST = Number(process.env.SEED ?? 1)

test('nothing is lost, doubled, out of order or falsely told, whatever happens', async t => {
  const { runs, failed, faults, least } = await simulateMany(FIRST, RUNS, 2)

  t.deepEqual(failed.map(describe), [])
  t.is(runs, RUNS)
  t.true(least.published >= 200 && least.faults >= 5)
  if (RUNS >= 150)
    t.deepEqual(
      FAULT_NAMES.filter(name => !faults.has(name)),
      [],
    )
  t.log(`seeds from ${FIRST} on, ${RUNS} runs`)
  for (const [name, count] of faults) t.log(`${count} × ${name}`)
})

test('a seed decides all that happens, byte for byte', async t => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const [{ hash, steps }, again, other] = [await simulate(seed), await simulate(seed), await simulate(seed + 100)]
    t.is(again.hash, hash)
    t.is(again.steps, steps)
    t.not(other.hash, hash)
  }
})
