import { setImmediate as turn, setTimeout } from 'node:timers/promises'
import test from 'ava'
import { systemClock } from '../lib/clock.ts'
import { within } from '../lib/deadline.ts'
import { beBusy } from './support/busy.ts'
import { Deferred } from './support/deferred.ts'
import { ManualClock } from './support/manual-clock.ts'

const late = () => new Error('late')
const never = new Promise<never>(() => undefined)

test('what does not come is late', async t => {
  const clock = new ManualClock()
  const answer = within(clock, 1_000, never, late)
  clock.advance(999)
  const isLate = t.throwsAsync(answer, { message: 'late' })
  t.is(clock.pending, 1, 'not yet')
  clock.advance(1)
  await isLate
  t.is(clock.pending, 0)
})

test('what comes in the same turn of the event loop as the deadline is not late', async t => {
  const clock = new ManualClock()
  const work = new Deferred<string>()
  const answer = within(clock, 1_000, work.promise, late)
  clock.advance(1_000)
  work.resolve('answer')
  t.is(await answer, 'answer')
})

test('a deadline of several of the longest durations does not pass at once', async t => {
  const work = new Deferred<string>()
  const answer = within(systemClock, 5 * (2 ** 31 - 1), work.promise, late)
  for (let n = 0; n < 10; n += 1) await setTimeout(2)
  work.resolve('answer')
  t.is(await answer, 'answer')
})

test('a process that does nothing else for long has turns of the event loop left to hear of what it waits for', async t => {
  const work = new Deferred<string>()
  const answer = within(systemClock, 40, work.promise, late)
  beBusy(400)
  await turn()
  beBusy(400)
  await turn()
  setImmediate(() => {
    work.resolve('answer')
  })
  t.is(await answer, 'answer')
})
