import test from 'ava'
import { EventStreamError, memoryBroker } from 'koa-event-stream'
import type { Received } from '../support/http.ts'
import { arrival, messages, openSite } from './site.ts'

const named = (name: string) => (thing: Received) => thing.data === name

test('topics come and go while the stream lives', async t => {
  const { open, publish, last, hub, isEmpty } = await openSite(t)
  const client = await open('a')
  await arrival(client)
  const stream = last()
  await publish('b', 'too early')
  await stream.subscribe('b', 'b')
  await publish(['a', 'b'], 'both')
  await publish('b', 'b')
  t.is(hub.stats().topics, 2)
  stream.unsubscribe('a', 'never had')
  await publish('a', 'too late')
  await stream.subscribe('b')
  await publish('b', 'end')
  await client.next(named('end'))
  t.deepEqual(messages(client.received), ['both', 'b', 'end'])
  const seqs = client.received.flatMap(({ id }) => id?.split('-')[1] ?? [])
  t.deepEqual(seqs, [...new Set(seqs)].toSorted(), 'ids rise')
  client.close()
  await isEmpty()
})

test('the first topic of a living stream brings its cursor', async t => {
  const { open, publish, last } = await openSite(t)
  const client = await open('')
  await last().send({ data: 'own' })
  t.like(await client.next(), { data: 'own', id: undefined })
  const [before] = await publish('a', 'before')
  await last().subscribe('a')
  t.like(await client.next(), { event: 'cursor', id: before })
  await t.throwsAsync(last().send({ data: 'x', id: '1' }), { code: 'ERR_EVENT_INVALID' })
  last().unsubscribe('a')
  await last().subscribe('a')
  const [after] = await publish('a', 'after')
  t.like(await client.next(), { data: 'after', id: after })
})

test('a stream that has sent ids of its own gets no topics: its client would resume with one of them', async t => {
  const { open, publish, last } = await openSite(t)
  const client = await open('')
  await last().send({ data: 'own', id: 'own-id' })
  t.like(await client.next(), { data: 'own', id: 'own-id' })
  await t.throwsAsync(last().subscribe('a'), { instanceOf: EventStreamError, code: 'ERR_EVENT_INVALID' })
  await publish('a', 'x')
  await last().send({ data: 'next', id: 'next-id' })
  t.like(await client.next(), { data: 'next', id: 'next-id' })
})

test('topics that are added during a replay are live from then on, in order with it', async t => {
  const broker = memoryBroker({ history: { bytes: 64 << 20 } })
  const { openUnread, publish, last } = await openSite(t, { hub: { broker } })
  const [start] = await publish('a', 'start')
  for (let n = 0; n < 150; n += 1) await publish('a', `a${n}`.padEnd(100_000, '.'))
  await publish('b', 'b too early')
  const unread = await openUnread('a,c', `lastEventId=${start}`)
  await last().subscribe('b')
  last().unsubscribe('c')
  await publish('b', 'b')
  await publish('c', 'c too late')
  await publish('a', 'a')
  const client = unread.read()
  await client.next(({ event }) => event === 'cursor')
  t.deepEqual(
    messages(client.received).map(text => text.replace(/\.+$/, '')),
    [...Array.from({ length: 150 }, (_, n) => `a${n}`), 'b', 'a'],
  )
})

test('too many topics, bad ones, and a stream that has closed, are refused', async t => {
  const { open, publish, last } = await openSite(t, { limits: { topics: 2 } })
  const client = await open('a')
  await arrival(client)
  const stream = last()
  await t.throwsAsync(stream.subscribe('b', 'c'), { instanceOf: TypeError, message: /at most 2 topics/ })
  for (const bad of ['', ' ', 'a b', 'a\n', 'x'.repeat(257), null as never]) {
    await t.throwsAsync(stream.subscribe('b', bad), { instanceOf: EventStreamError, code: 'ERR_TOPIC_INVALID' })
  }
  await publish('b', 'not subscribed to')
  await publish('a', 'x')
  await client.next(named('x'))
  t.deepEqual(messages(client.received), ['x'])
  stream.close()
  await t.throwsAsync(stream.subscribe('b'), { code: 'ERR_STREAM_CLOSED' })
  t.is(await client.closed, 'end')
})

test('more in one turn than may be buffered is read from history, not held against the client', async t => {
  const { open, publish, last } = await openSite(t, { buffer: { bytes: 1_024 } })
  const client = await open('a,b')
  await arrival(client)
  const texts = Array.from({ length: 50 }, (_, n) => `${n}`.padEnd(200, '.'))
  await Promise.all(texts.map((text, n) => publish(n % 2 === 0 ? 'a' : 'b', text)))
  await client.next(named(texts[49] ?? ''))
  await publish('a', 'live again')
  await client.next(named('live again'))
  t.deepEqual(messages(client.received), [...texts, 'live again'])
  t.is(last().closeReason, undefined)
})

test('a client that reads nothing is cut when its buffer is full, and resumes without a loss', async t => {
  const broker = memoryBroker({ history: { bytes: 64 << 20 } })
  const site = await openSite(t, { hub: { broker }, buffer: { bytes: 300_000 } })
  const { open, openUnread, publish, hub } = site
  const [start] = await publish('a', 'start')
  const unread = await openUnread('a', `lastEventId=${start}`)
  const healthy = await open('a')
  await arrival(healthy)
  const [slow] = site.streams
  const sent: string[] = []
  while (slow?.closeReason === undefined) {
    sent.push(...(await publish('a', 'x'.repeat(100_000))))
    await healthy.next()
    t.true((slow?.bufferedBytes ?? 0) <= 300_000 + 100_100)
    if (sent.length > 500) break
  }
  t.is(slow?.closeReason, 'slow')
  sent.push(...(await publish('a', 'meanwhile')))
  const cut = unread.read()
  t.is(await cut.closed, 'cut')
  const seen = cut.received.filter(({ event }) => event === 'message').map(({ id }) => id ?? '')
  const resumed = await open('a', '', { headers: { 'last-event-id': seen.at(-1) ?? start } })
  const missed = (await arrival(resumed)).filter(({ event }) => event === 'message').map(({ id }) => id)
  t.deepEqual([...seen, ...missed], sent)
  t.is(hub.stats().closed.slow, 1)
  t.is(hub.stats().streams, 2)
})
