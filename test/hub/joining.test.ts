import test from 'ava'
import { eventually } from '../support/eventually.ts'
import { arrival, messages, openSite } from './site.ts'
import { SlowBroker } from './slow-broker.ts'

async function openSlowSite(t: Parameters<typeof openSite>[0]) {
  const slow = new SlowBroker()
  const site = await openSite(t, { hub: { broker: slow.broker }, overload: 'reject' })
  const asked = (question: string) =>
    eventually(
      () => slow.asked.includes(question),
      () => `"${question}" was not asked, but ${JSON.stringify(slow.asked)}`,
    )
  return { ...site, slow, asked }
}

test('nothing is answered until the subscription stands, and nothing published meanwhile is lost', async t => {
  const { open, publish, slow, asked, hub } = await openSlowSite(t)
  const [cursor] = await publish('a', 'before')
  const opening = open('a,b', `lastEventId=${cursor}`)
  await asked('subscribe b')
  await publish('a', 'unheard')
  slow.allow('subscribe a', 'subscribe b')
  await asked('load a,b')
  await publish(['a', 'b'], 'heard')
  t.is(hub.stats().opened, 0)
  slow.allow('load')
  const stream = await opening
  t.deepEqual(messages(await arrival(stream)), ['unheard', 'heard'])
})

test('topics that are added or taken away while the broker is asked are live, or not', async t => {
  const { open, publish, slow, asked, last, isEmpty } = await openSlowSite(t)
  const opening = open('a,b')
  await asked('subscribe b')
  const stream = last()
  const added = stream.subscribe('c', 'd')
  stream.unsubscribe('b', 'd')
  slow.allow('subscribe a', 'subscribe b', 'subscribe c', 'load')
  const client = await opening
  await added
  await publish('b', 'not b')
  await publish('d', 'not d')
  await publish('c', 'c')
  await publish('a', 'a')
  await client.next(({ data }) => data === 'a')
  t.deepEqual(messages(client.received), ['c', 'a'])
  t.false(slow.asked.includes('subscribe d'))
  client.close()
  await isEmpty()
  t.deepEqual(slow.asked.filter(question => question.startsWith('un')).toSorted(), [
    'unsubscribe a',
    'unsubscribe b',
    'unsubscribe c',
  ])
})

for (const [reason, status] of [
  ['done', 204],
  ['server', 503],
] as const) {
  test(`a stream that is closed as ${reason} while the broker is asked is answered with ${status}`, async t => {
    const { open, slow, asked, last, isEmpty } = await openSlowSite(t)
    const opening = open('a')
    await asked('subscribe a')
    last().close(reason)
    slow.allow('subscribe a', 'load')
    t.is((await opening).status, status)
    await isEmpty()
  })
}

test('one topic that the broker refuses is enough to refuse the stream, whichever is answered first', async t => {
  const { open, slow, asked, hub, told, isEmpty } = await openSlowSite(t)
  const opening = open('a,b')
  await asked('subscribe b')
  slow.fail('subscribe b', new Error('no b'))
  await eventually(
    () => slow.asked.includes('unsubscribe b'),
    () => 'The other topic was waited for',
  )
  // Who comes now is not told that all is well because somebody else has asked before.
  const second = open('b')
  slow.allow('subscribe a', 'load')
  for (const answer of [await opening, await second]) t.is(answer.status, 503)
  t.like(told, [{ name: 'refuse', reason: 'broker' }, { reason: 'broker' }])
  await isEmpty()
  t.is(hub.stats().opened, 0)
})

test('streams that wait for the same topic share one question', async t => {
  const { open, publish, slow, asked, hub } = await openSlowSite(t)
  slow.allow('load')
  const opening = [open('a'), open('a'), open('a')]
  await asked('subscribe a')
  await eventually(
    () => hub.stats().streams === 3,
    () => 'Three streams did not come',
  )
  slow.allow('subscribe a')
  const clients = await Promise.all(opening)
  await publish('a', 'x')
  for (const client of clients) t.like(await client.next(({ event }) => event === 'message'), { data: 'x' })
  t.is(slow.asked.filter(question => question === 'subscribe a').length, 1)
})

for (const [part, answered] of [
  ['listen', []],
  ['load history', ['subscribe a']],
] as const) {
  test(`a client that leaves while the broker is asked to ${part} leaves nothing behind`, async t => {
    const { open, slow, asked, isEmpty, hub, clock } = await openSlowSite(t)
    const leaving = new AbortController()
    slow.allow(...answered)
    const opening = open('a', '', { signal: leaving.signal })
    await asked(part === 'listen' ? 'subscribe a' : 'load a')
    leaving.abort()
    await t.throwsAsync(opening, { name: 'AbortError' })
    await eventually(
      () => slow.asked.includes('unsubscribe a'),
      () => 'The topic was kept',
    )
    slow.allow('subscribe a', 'load')
    await isEmpty()
    // The deadline of the opening ends with it, and no other timer was begun for who has gone: the beat of the instance alone is left.
    await eventually(
      () => clock.pending === 1,
      () => 'a timer is left',
    )
    t.is(hub.stats().opened, 0)
  })
}

test('a living stream keeps its topics where one more is refused', async t => {
  const { open, publish, slow, last } = await openSlowSite(t)
  slow.allow('subscribe a', 'load')
  const client = await open('a')
  slow.fail('subscribe b', new Error('no b'))
  await t.throwsAsync(last().subscribe('b'), { message: 'no b' })
  t.deepEqual(slow.asked.slice(-1), ['unsubscribe b'])
  await publish('a', 'x')
  t.like(await client.next(({ event }) => event === 'message'), { data: 'x' })
})

test('of two streams that ask in one turn for a topic, the broker is asked for each where it throws', async t => {
  const slow = new SlowBroker()
  slow.allow('subscribe a', 'subscribe b', 'load')
  let isFirst = true
  const subscribe = (topic: string) => {
    if (topic !== 'b' || !isFirst) return slow.broker.subscribe(topic)
    isFirst = false
    throw new Error('no b')
  }
  const broker = { ...slow.broker, subscribe }
  const { open, streams, publish } = await openSite(t, { hub: { broker } })
  const clients = [await open('a'), await open('a')]
  const [first, second] = await Promise.allSettled(streams.map(stream => stream.subscribe('b')))
  t.is(first?.status, 'rejected')
  t.is(second?.status, 'fulfilled')
  await publish('b', 'x')
  t.like(await clients[1]?.next(({ event }) => event === 'message'), { data: 'x' })
})
