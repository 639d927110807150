import test from 'ava'
import { recorder } from 'koa-event-stream/testing'
import { PATIENCE } from '../support/progress.ts'
import { openSite } from './site.ts'

test('what a hub has published and told is recorded, and nothing of the kit', async t => {
  const { hub, site } = await openSite(t)
  await hub.publish('news', { event: 'note', data: 'before' })
  const seen = recorder(hub)
  const stream = await site.open('/events', { as: { id: 'ada' } })
  const id = await hub.publish(['news', 'user:ada'], { event: 'order.created', data: { total: 5 } })
  await t.throwsAsync(hub.publish('news', { event: 'no\nname' } as never))
  await stream.settled()
  t.deepEqual(seen.published, [{ topics: ['news', 'user:ada'], event: 'order.created', data: { total: 5 }, id }])
  t.like(await seen.next('open'), { stream: { id: stream.id } })
  const waiting = seen.next('close', { within: PATIENCE })
  await stream.cut()
  t.like(await waiting, { reason: 'client', stream: { id: stream.id } })
  await t.throwsAsync(site.open('/events'))
  t.like(seen.refusals, [{ reason: 'unauthenticated', status: 401 }])
  await hub.publish('news', { event: 'note', data: 'missed' })
  await site.trim('news')
  await stream.resume()
  t.like(seen.gaps, [{ gap: { topics: ['news'], reason: 'trimmed' } }])
  t.deepEqual([seen.opened.length, seen.closed.length, seen.faults, seen.losses], [2, 1, [], []])
  t.is(seen.published.length, 2)
  await t.throwsAsync(seen.next('drain', { within: 1 }), {
    message: /waited for `drain` of the hub.*open, close, refuse/,
  })
  seen.stop()
  await hub.publish('news', { event: 'note', data: 'after' })
  t.is(seen.published.length, 2)
})
