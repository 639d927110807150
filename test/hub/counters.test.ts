import test from 'ava'
import { createHub } from 'koa-event-stream'
import { REFUSAL_REASONS } from '../../lib/hub/lifecycle.ts'
import { CLOSE_REASONS } from '../../lib/stream/close-reason.ts'

test('every reason is counted from the start', t => {
  const { closed, refused } = createHub().stats()
  t.deepEqual(Object.keys(closed), [...CLOSE_REASONS])
  t.deepEqual(Object.keys(refused), [...REFUSAL_REASONS])
  t.true([...Object.values(closed), ...Object.values(refused)].every(count => count === 0))
})

test('a snapshot stays as it was taken', t => {
  const hub = createHub()
  const { refused } = hub.stats()
  hub.on('refuse', () => undefined)
  ;(refused as { resolver: number }).resolver = 7
  t.is(hub.stats().refused.resolver, 0)
})
