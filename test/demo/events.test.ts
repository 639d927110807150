import test from 'ava'
import type { Received } from '../support/http.ts'
import { openSite } from './site.ts'

const named = (name: string) => (thing: Received) => thing.event === name

test('an order placed in one tab shows up in another, and in nobody else’s', async t => {
  const site = await openSite(t)
  const [ada, grace] = [await site.loggedIn('ada'), await site.loggedIn('grace')]
  const [hers, others] = [await ada.openStream(), await grace.openStream()]
  await hers.next(named('cursor'))
  await others.next(named('cursor'))

  t.is((await ada.post('/orders', { lot: 'nyeri', bags: '3' })).status, 303)
  const { data } = await hers.next(named('order.created'))
  t.like(JSON.parse(data), { lot: 'Nyeri AA', bags: 3, status: 'received', version: 1 })
  t.regex(await (await ada.get('/')).text(), /Nyeri AA/)

  await grace.post('/notifications/test')
  await others.next(named('notification'))
  t.false(others.received.some(named('order.created')))
})

for (const [lot, bags] of [
  ['nyeri', '0'],
  ['nyeri', '21'],
  ['nyeri', '1.5'],
  ['nyeri', 'many'],
  ['__proto__', '1'],
] as const) {
  test(`an order of ${bags} bags of ${lot} is refused with a reason`, async t => {
    const site = await openSite(t)
    const response = await (await site.loggedIn('ada')).post('/orders', { lot, bags })
    t.is(response.status, 422)
    t.regex(await response.text(), /role="alert" data-error>(Order between 1 and 20 bags|Choose one of the coffees)/)
    t.deepEqual(await site.services.orders.list('ada'), [])
  })
}

test('prices come to those who ask for them', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream('/events?market')
  await stream.next(named('cursor'))
  await site.hub.publish('market', { event: 'quote', data: await site.services.market.advance() })
  t.deepEqual(JSON.parse((await stream.next(named('quote'))).data), await site.services.market.latest())
})

test('whoever follows the market is told who else does, and the page is rendered with them', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  const grace = await site.loggedIn('grace')
  const stream = await ada.openStream('/events?market')
  await grace.openStream('/events?market')
  const told = await stream.next(({ event, data }) => event === 'presence' && data.includes('Grace'))
  t.like(JSON.parse(told.data), { topic: 'market', count: 2 })
  t.regex(await (await ada.get('/market')).text(), /data-live="present">Ada Lovelace, Grace Hopper</)
  await grace.post('/logout', {})
  await stream.next(({ event, data }) => event === 'presence' && !data.includes('Grace'))
  t.regex(await (await ada.get('/market')).text(), /data-live="present">Ada Lovelace</)
})

test('what happens from when the page was rendered on is on its stream, once', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  await ada.post('/orders', { lot: 'nyeri', bags: '1' })
  const [, cursor = ''] = /data-cursor="([^"]+)"/.exec(await (await ada.get('/')).text()) ?? []
  await ada.post('/orders', { lot: 'huila', bags: '1' })
  const stream = await ada.openStream(`/events?lastEventId=${cursor}`)
  t.like(JSON.parse((await stream.next(named('order.created'))).data), { lot: 'Huila Supremo' })
  t.is((await stream.next()).event, 'cursor')
})

test('a script that changes something is answered with what it changed, and the id of its event', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream()
  const json = { accept: 'application/json' }
  const placed = await ada.post('/orders', { lot: 'nyeri', bags: '3' }, json)
  t.is(placed.status, 201)
  const created = await stream.next(named('order.created'))
  t.is(placed.headers.get('event-id'), created.id ?? '')
  t.deepEqual(await placed.json(), JSON.parse(created.data))
  const marked = await ada.post('/notifications/read', {}, json)
  const { id = '' } = await stream.next(named('notifications.read'))
  t.is(marked.headers.get('event-id'), id)
  t.deepEqual(await marked.json(), { unread: 0 })

  const refused = await ada.post('/orders', { lot: 'nyeri', bags: '0' }, json)
  t.is(refused.status, 422)
  t.regex(await refused.text(), /^Order between 1 and 20 bags/)
})

test('a stream that was cut resumes where it stopped, nothing lost and nothing doubled', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  const first = await ada.openStream()
  const { id: cursor = '' } = await first.next(named('cursor'))
  t.is((await ada.post('/connection/cut')).status, 204)
  t.is(await first.closed, 'end')

  for (const lot of ['nyeri', 'huila', 'kochere']) await ada.post('/orders', { lot, bags: '1' })
  const second = await ada.openStream('/events', { 'last-event-id': cursor })
  await second.next(named('cursor'))
  const lots = second.received
    .filter(named('order.created'))
    .map(({ data }) => (JSON.parse(data) as { lot: string }).lot)
  t.deepEqual(lots, ['Nyeri AA', 'Huila Supremo', 'Yirgacheffe Kochere'])
  t.false(second.received.some(named('gap')))
})

test('a cursor of another life of the site is told of as a gap', async t => {
  const ada = await (await openSite(t)).loggedIn('ada')
  const stream = await ada.openStream('/events?lastEventId=gone-1')
  t.deepEqual(Object.keys(JSON.parse((await stream.next(named('gap'))).data) as object), ['topics', 'reason'])
})

test('notifications count what is unread', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream()
  await ada.post('/notifications/test')
  await ada.post('/notifications/test')
  await stream.next(named('notification'))
  t.like(JSON.parse((await stream.next(named('notification'))).data), { unread: 2, read: false })
  t.deepEqual(await (await ada.get('/session')).json(), { user: 'ada', unread: 2 })
  await ada.post('/notifications/read')
  t.deepEqual(JSON.parse((await stream.next(named('notifications.read'))).data), { unread: 0 })
  t.regex(await (await ada.get('/notifications')).text(), /data-read="true"/)
})
