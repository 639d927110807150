import test from 'ava'
import { createIdentity } from 'koa-event-stream'
import { Endings, presentMoment } from '../../lib/hub/endings.ts'
import { ManualClock } from '../support/manual-clock.ts'

const ada = createIdentity({ id: 'ada', scheme: 'any', session: 's', token: 't' })

test('what was ended since a request arrived is told by all that it names', t => {
  const endings = new Endings(new ManualClock())
  const arrival = presentMoment()
  for (const filter of [{ identity: 'eve' }, { session: 'x' }, { identity: 'ada', token: 'x' }]) {
    endings.add({ type: 'disconnect', reason: 'server', ...filter })
  }
  t.is(endings.since(arrival, ada), undefined)
  for (const filter of [{ identity: 'ada' }, { session: 's' }, { token: 't' }, { identity: 'ada', session: 's' }]) {
    const before = presentMoment()
    endings.add({ type: 'disconnect', reason: 'logout', ...filter })
    t.is(endings.since(before, ada), 'logout')
    t.is(endings.since(arrival, ada), 'logout')
    t.is(endings.since(presentMoment(), ada), undefined)
  }
})

test('of what was missed, was too much or is too long ago, nobody knows', t => {
  const clock = new ManualClock()
  const endings = new Endings(clock)
  const eve = { type: 'disconnect', reason: 'server', identity: 'eve' } as const
  const arrivals = [presentMoment()]
  endings.missed()
  arrivals.push(presentMoment())
  for (let count = 0; count < 9_000; count += 1) endings.add(eve)
  t.is(endings.since(arrivals[1] ?? NaN, ada), undefined)
  for (let count = 0; count < 9_000; count += 1) endings.add(eve)
  const last = presentMoment()
  endings.add(eve)
  t.is(endings.since(last, ada), undefined)
  clock.advance(300_001)
  endings.add(eve)
  arrivals.push(last)
  for (const arrival of arrivals) t.is(endings.since(arrival, ada), 'unverifiable')
  t.is(endings.since(presentMoment(), ada), undefined)
})
