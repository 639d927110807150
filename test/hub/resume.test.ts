import test from 'ava'
import { memoryBroker } from 'koa-event-stream'
import type { Received } from '../support/http.ts'
import { arrival, messages, openSite } from './site.ts'

const ids = (received: readonly Received[]) => received.flatMap(({ id }) => id ?? [])
const gaps = (received: readonly Received[]) => received.filter(({ event }) => event === 'gap').map(({ data }) => data)

test('a newcomer gets a retry, then a cursor, then what is live, byte for byte', async t => {
  const { open, publish, last } = await openSite(t)
  const [before] = await publish('a', 'before')
  const stream = await open('a')
  await arrival(stream)
  const [id] = await publish('a', 'x\ny')
  await stream.next()
  stream.close()
  const text = await stream.text()
  t.regex(text, /^retry: [0-9]{4}\nid: /)
  t.is(
    text.slice(text.indexOf('id: ')),
    `id: ${before}\nevent: cursor\ndata: {"stream":"${last().id}","heartbeat":null}\n\nid: ${id}\ndata: x\ndata: y\n\n`,
  )
})

test('a client cut off before its first event loses nothing', async t => {
  const { open, publish } = await openSite(t)
  const first = await open('a')
  const [cursor] = ids(await arrival(first))
  first.close()
  await publish('a', 'missed')
  t.deepEqual(messages(await arrival(await open('a', `lastEventId=${cursor}`))), ['missed'])
})

test('who comes back gets all that its topics had since, once each, in order', async t => {
  const { open, publish } = await openSite(t)
  const [one] = await publish('a', 'a1')
  const [two] = await publish('b', 'b1')
  const [three] = await publish(['a', 'b', 'c'], 'abc')
  await publish('hidden', 'h')
  const [four] = await publish('c', 'c1')
  const [last] = await publish('hidden', 'h')
  const received = await arrival(await open('a,b,c', '', { headers: { 'last-event-id': one } }))
  t.deepEqual(messages(received), ['b1', 'abc', 'c1'])
  t.deepEqual(ids(received), [two, three, four, last], 'the cursor moves on past what is not its own')
  t.deepEqual(gaps(received), [])
  const granted = await arrival(await open('hidden', `lastEventId=${one}`))
  t.deepEqual(messages(granted), ['h', 'h'], 'topics are those that are granted now')
})

test('topics of very different length are read as one log, however many pages it takes', async t => {
  const { open, publish } = await openSite(t)
  const [start] = await publish('a', 'start')
  const expected: string[] = []
  for (let n = 0; n < 900; n += 1) {
    const topic = n % 300 === 299 ? 'rare' : 'a'
    await publish(topic, `${n}`)
    expected.push(`${n}`)
  }
  const received = await arrival(await open('rare,a', `lastEventId=${start}`))
  t.deepEqual(messages(received), expected)
  t.deepEqual(gaps(received), [])
})

test('a client that has just been sent the last id is sent a cursor without one', async t => {
  const { open, publish } = await openSite(t)
  const [one, two] = await publish('a', '1', '2')
  const received = await arrival(await open('a', `lastEventId=${one}`))
  t.deepEqual(
    received.filter(({ kind }) => kind === 'event').map(({ event, id }) => [event, id]),
    [
      ['message', two],
      ['cursor', undefined],
    ],
  )
})

test('history and what is published meanwhile are joined without a seam, however slowly they are read', async t => {
  const broker = memoryBroker({ history: { bytes: 64 << 20 } })
  const { hub, openUnread, publish } = await openSite(t, { hub: { broker } })
  const [start] = await publish('a', 'start')
  const expected: string[] = []
  const text = '.'.repeat(64_000)
  const publishMore = async (count: number) => {
    for (let n = 0; n < count; n += 1) expected.push(...(await publish([['a'], ['b'], ['a', 'b']][n % 3] ?? [], text)))
  }
  // More than the kernel takes in, so that the replay must wait for the reader.
  await publishMore(200)
  const opened = new Promise<void>(resolve => hub.once('open', () => resolve(publishMore(10))))
  const client = await openUnread('a,b', `lastEventId=${start}`)
  await opened
  await publishMore(10)
  const stream = client.read()
  stream.next().then(() => publishMore(10), t.fail)
  await stream.next(({ event }) => event === 'cursor')
  expected.push(...(await publish('a', 'live')))
  await stream.next(({ data }) => data === 'live')
  t.deepEqual(ids(stream.received.filter(({ event }) => event !== 'cursor')), expected)
  t.deepEqual(gaps(stream.received), [])
})

test('a gap is told where history does not reach back, and only there', async t => {
  const { open, publish, told, hub } = await openSite(t)
  const [start] = await publish('quiet', 'start')
  const [first, second] = await publish('a', ...Array.from({ length: 1_002 }, (_, n) => String(n)))
  const lost = await arrival(await open('a,quiet', `lastEventId=${start}`))
  t.deepEqual(gaps(lost), ['{"topics":["a"],"reason":"trimmed"}'])
  t.is(messages(lost).length, 1_000)
  t.is(messages(lost)[0], '2')
  t.deepEqual(gaps(await arrival(await open('a', `lastEventId=${first}`))), ['{"topics":["a"],"reason":"trimmed"}'])
  t.deepEqual(gaps(await arrival(await open('a', `lastEventId=${second}`))), [])
  t.deepEqual(gaps(await arrival(await open('quiet,none', `lastEventId=${start}`))), [])
  t.deepEqual(gaps(await arrival(await open('a,quiet'))), [], 'a newcomer has lost nothing')
  t.is(hub.stats().gaps, 2)
  t.is(told.filter(({ name }) => name === 'gap').length, 2)
})

test('a newcomer whose wish is not met is told, where count or bytes have taken what it wished for', async t => {
  const { open, publish, clock } = await openSite(t)
  const published = Array.from({ length: 2_000 }, (_, n) => String(n))
  await publish('many', ...published)
  await publish('few', '1', '2')
  const received = await arrival(await open('many:5000,few:5000'))
  t.deepEqual(gaps(received), ['{"topics":["many"],"reason":"trimmed"}'])
  t.deepEqual(messages(received), [...published.slice(1_000), '1', '2'])
  t.is(
    received.findIndex(({ event }) => event === 'gap') < received.findIndex(({ event }) => event === 'message'),
    true,
  )
  t.deepEqual(gaps(await arrival(await open('many:1000,few:1000'))), [])
  clock.advance(300_001)
  await publish('many', 'late')
  t.deepEqual(gaps(await arrival(await open('many:5000,few:5000'))), [], 'what age has taken is not missed')
})

test('of a doubled cursor in the query the last one counts: clients add theirs', async t => {
  const { open, publish } = await openSite(t)
  const [first = '', second = ''] = await publish('a', '1', '2', '3')
  const received = await arrival(await open('a', `lastEventId=${first}&lastEventId=${second}`))
  t.deepEqual(gaps(received), [])
  t.deepEqual(messages(received), ['3'])
})

test('a cursor that is none of this log is told, and the stream goes on from now', async t => {
  const { open, publish } = await openSite(t)
  const [id = ''] = await publish('a', 'old')
  const [epoch = '', seq = ''] = id.split('-')
  const cases: [string, string][] = [
    [`lastEventId=x${epoch}-${seq}`, 'epoch'],
    [`lastEventId=${epoch}-${Number(seq) + 1}`, 'unknown'],
    [`lastEventId=${epoch}-0${seq}`, 'unknown'],
    [`lastEventId=${'9'.repeat(5_000)}`, 'unknown'],
    [`lastEventId=${id}&lastEventId=x${id}`, 'epoch'],
    ['lastEventId=%00', 'unknown'],
    ['lastEventId=%E2%82%AC', 'unknown'],
  ]
  for (const [query, reason] of cases) {
    const stream = await open('a,b', query)
    const received = await arrival(stream)
    t.deepEqual(gaps(received), [`{"topics":["a","b"],"reason":"${reason}"}`], query)
    t.deepEqual(ids(received), [id])
    t.deepEqual(messages(received), [])
    t.deepEqual(
      received.map(({ kind, event }) => event || kind),
      ['retry', 'gap', 'cursor'],
    )
    stream.close()
  }
  const stream = await open('a', '', { headers: { 'last-event-id': 'ä'.repeat(200) } })
  await arrival(stream)
  await publish('a', 'new')
  t.like(await stream.next(), { data: 'new' })
})

test('the header counts before the query, which stays the same over reconnects', async t => {
  const { open, publish } = await openSite(t)
  const [one, two] = await publish('a', '1', '2', '3')
  const received = await arrival(await open('a', `lastEventId=${one}`, { headers: { 'last-event-id': two } }))
  t.deepEqual(messages(received), ['3'])
})

test('a newcomer gets as many of the last events as the resolver wishes, in order over all topics', async t => {
  const { open, publish } = await openSite(t)
  await publish('a', 'a1', 'a2')
  await publish('b', 'b1')
  await publish(['a', 'b'], 'ab')
  const [mark] = await publish('b', 'b2')
  await publish('a', 'a3')
  t.deepEqual(messages(await arrival(await open('a:3,b'))), ['a2', 'ab', 'a3'])
  t.deepEqual(messages(await arrival(await open('a:1,b:2'))), ['ab', 'b2', 'a3'])
  t.deepEqual(messages(await arrival(await open('a:50,b:0'))), ['a1', 'a2', 'ab', 'a3'])
  const resumed = await arrival(await open('a:50,b:50', `lastEventId=${mark}`))
  t.deepEqual(messages(resumed), ['a3'], 'one that resumes gets what it missed instead')
  t.deepEqual(gaps(resumed), [])
})

test('history that begins behind where the log is known to stand is told once as a gap, and the stream goes on', async t => {
  const broker = memoryBroker()
  const read = broker.read.bind(broker)
  const site = await openSite(t, { hub: { broker } })
  const first = await site.open('a')
  const [cursor] = ids(await arrival(first))
  // As of an instance that has read one topic a moment later than another one.
  const start = broker.position().seq + 5
  broker.read = (topic, after, limit) => ({ ...read(topic, after, limit), events: [], trimmed: after < start, start })
  const resumed = await site.open('a', `lastEventId=${cursor}`)
  const received = await arrival(resumed)
  t.deepEqual(gaps(received), ['{"topics":["a"],"reason":"trimmed"}'])
})
