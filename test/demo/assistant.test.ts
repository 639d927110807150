import { once } from 'node:events'
import test from 'ava'
import { openSite } from './site.ts'

test('an answer comes as a stream of tokens and ends', async t => {
  const ada = await (await openSite(t)).loggedIn('ada')
  const stream = await ada.ask('Where are my orders?')
  t.is(stream.status, 200)
  t.is(await stream.closed, 'end')
  const tokens = stream.received.filter(({ event }) => event === 'token')
  t.true(tokens.length > 5)
  const text = tokens.map(({ data }) => (JSON.parse(data) as { text: string }).text).join('')
  t.is(text, 'All of your orders have been delivered. Nothing is on its way at the moment.')
  t.is(stream.received.filter(({ kind }) => kind === 'event').at(-1)?.event, 'done')
})

test('the answer stops when nobody reads it any more', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  const closed = once(site.hub, 'close')
  const stream = await ada.ask('What is cheapest today?')
  await stream.next(({ event }) => event === 'token')
  stream.close()
  t.like((await closed)[0], { reason: 'client' })
  t.is(site.hub.stats().streams, 0)
})

test('an empty or an endless question is refused, and so is a stranger', async t => {
  const site = await openSite(t)
  const ada = await site.loggedIn('ada')
  t.is((await ada.ask('  ')).status, 422)
  t.is((await ada.ask('?'.repeat(501))).status, 422)
  t.is((await site.visitor().ask('Where are my orders?')).status, 401)
})
