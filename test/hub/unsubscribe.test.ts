import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { memoryBroker, type Broker } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { messages, openSite, type Site, type SiteOptions } from './site.ts'

const PADDING = 'x'.repeat(100_000)
const isSecret = (data: string) => data.startsWith('secret')

/** A client of `room` and `other` that does not read, so that much waits for it. */
async function leftBehind(t: Parameters<typeof openSite>[0], options: SiteOptions): Promise<[Site, Unread]> {
  const broker = memoryBroker({ history: { bytes: 1_000_000_000, count: 100_000 } })
  const site = await openSite(t, { ...options, hub: { broker } })
  return [site, await site.openUnread('room,other')]
}
type Unread = Awaited<ReturnType<Site['openUnread']>>

async function publishUntil(site: Site, isEnough: () => boolean, data: (n: number) => string): Promise<number> {
  let n = 0
  for (; !isEnough() && n < 500; n += 1) {
    await site.publish('room', data(n))
    await turn()
  }
  return n
}

for (const [when, publish] of [
  ['in the turn in which they were published', ({ publish: all }: Site) => all('room', 'secret 1', 'secret 2')],
  ['while they are being published', async ({ publish: all }: Site) => void all('room', 'secret 1', 'secret 2')],
] as const) {
  test(`events of a topic that is taken away ${when} are not sent`, async t => {
    const site = await openSite(t)
    const stream = await site.open('room,other')
    await stream.next(({ event }) => event === 'cursor')
    await publish(site)
    site.last().unsubscribe('room')
    await site.publish('other', 'end')
    await stream.next(({ data }) => data === 'end')
    t.deepEqual(messages(stream.received), ['end'])
  })
}

test('events of other topics between them are sent, each once and in order', async t => {
  const site = await openSite(t)
  const stream = await site.open('room,other,third')
  await stream.next(({ event }) => event === 'cursor')
  await site.publish('other', '1')
  await site.publish('room', 'secret')
  await site.publish(['room', 'other'], 'both')
  await site.publish(['room', 'third', 'nobodys'], 'third')
  await site.publish('other', '2')
  site.last().unsubscribe('room')
  await site.publish(['room', 'other'], 'later')
  await site.publish('room', 'secret')
  await site.publish('other', 'end')
  await stream.next(({ data }) => data === 'end')
  t.deepEqual(messages(stream.received), ['1', 'both', 'third', '2', 'later', 'end'])
})

/** An engine that tells of an event by one topic after another, as a remote one does, and keeps one event a topic. */
function toldTopicByTopic(): Broker {
  const broker = memoryBroker({ history: { count: 1 } })
  const listen = broker.listen.bind(broker)
  broker.listen = listener => {
    listen({
      event: (topics, event) => {
        for (const topic of topics) listener.event([topic], event)
      },
      gap: listener.gap.bind(listener),
      control: listener.control.bind(listener),
      readiness: listener.readiness.bind(listener),
      fault: listener.fault.bind(listener),
    })
  }
  return broker
}

test('an event that came by another topic as well is sent, though history does not have it any more', async t => {
  const site = await openSite(t, { hub: { broker: toldTopicByTopic() } })
  const stream = await site.open('room,other')
  await stream.next(({ event }) => event === 'cursor')
  await site.publish(['room', 'other'], 'both')
  await site.publish('other', 'later')
  site.last().unsubscribe('room')
  await site.publish('other', 'end')
  await stream.next(({ data }) => data === 'end')
  t.deepEqual(messages(stream.received), ['both', 'later', 'end'])
})

test('of streams that share what is due, only the one that has lost the topic gets less', async t => {
  const site = await openSite(t)
  const streams = [await site.open('room,other'), await site.open('room,other')]
  for (const stream of streams) await stream.next(({ event }) => event === 'cursor')
  await site.publish('room', 'a')
  await site.publish('other', 'b')
  site.streams[0]?.unsubscribe('room')
  await site.publish('other', 'end')
  for (const stream of streams) await stream.next(({ data }) => data === 'end')
  t.deepEqual(
    streams.map(({ received }) => messages(received)),
    [
      ['b', 'end'],
      ['a', 'b', 'end'],
    ],
  )
})

test('queued events of a topic that is taken away leave the process no more, but for one that has begun', async t => {
  const [site, client] = await leftBehind(t, { buffer: { bytes: 50_000_000 } })
  const count = await publishUntil(
    site,
    () => site.last().bufferedBytes > 5_000_000,
    n => `secret ${n} ${PADDING}`,
  )
  await site.publish(['room', 'other'], 'both')
  await turn()
  const before = site.last().bufferedBytes
  site.last().unsubscribe('room')
  t.true(site.last().bufferedBytes < before - 4_000_000)
  t.true(site.last().bufferedBytes < 400_000, 'A piece that was handed on, and what it is a piece of')
  await site.publish('other', 'end')
  const stream = client.read()
  await stream.next(({ data }) => data === 'end')
  const received = messages(stream.received)
  t.true(received.filter(isSecret).length <= count - 40)
  t.deepEqual(received.slice(-2), ['both', 'end'])
})

for (const [policy, buffer] of [
  ['drop', { policy: 'drop' }],
  ['conflate', { policy: 'conflate', key: ({ data }: { data: string }) => data.slice(0, 10) }],
] as const) {
  test(`${policy}: a client that lags gets nothing more of a topic that is taken away`, async t => {
    const [site, client] = await leftBehind(t, { buffer: { bytes: 300_000, ...buffer } })
    const stream = () => site.last()
    let lagging = 0
    const count = await publishUntil(
      site,
      () => {
        if (stream().bufferedBytes > 150_000) lagging += 1
        return lagging > 60
      },
      n => `secret${String(n).padStart(4, '0')} ${PADDING}`,
    )
    stream().unsubscribe('room')
    await site.publish('other', 'end')
    const reading = client.read()
    await reading.next(({ data }) => data === 'end' || data.startsWith('{"topics":["other"]'))
    t.true(messages(reading.received).filter(isSecret).length < count - 40)
    t.deepEqual(
      reading.received.filter(({ event, data }) => event === 'gap' && data.includes('room')),
      [],
    )
  })
}

test('conflate: while what was missed is being sent, a topic that is taken away sends nothing more', async t => {
  const [site, client] = await leftBehind(t, {
    buffer: { bytes: 300_000, policy: 'conflate', key: ({ data }) => data.slice(0, 10) },
  })
  let lagging = 0
  const text = (n: number) => `secret${String(n).padStart(4, '0')} ${PADDING}`
  const count = await publishUntil(site, () => (lagging += Number(site.last().bufferedBytes > 150_000)) > 200, text)
  const stream = client.read()
  // The client has come to what was conflated, for which more than its buffer has to be sent.
  await eventually(
    () => messages(stream.received).length > count - 180,
    () => `Only ${messages(stream.received).length} of ${count} came`,
  )
  site.last().unsubscribe('room')
  const sent = site.last().bufferedBytes
  await site.publish('other', 'end')
  await stream.next(({ data }) => data === 'end')
  t.true(sent < 400_000, `${sent} bytes wait`)
  t.true(messages(stream.received).filter(isSecret).length < count, 'All of it came')
})

test('a topic that is taken away while history is replayed is read no more', async t => {
  const broker = memoryBroker({ history: { bytes: 1_000_000_000, count: 100_000 } })
  const site = await openSite(t, { hub: { broker } })
  const [since] = await site.publish('other', 'seen')
  for (let n = 0; n < 200; n += 1) await site.publish('room', `secret ${n} ${PADDING}`)
  await site.publish('other', 'missed')
  await site.publish(['room', 'other'], 'both')
  const client = await site.openUnread('room,other', `lastEventId=${since}`)
  await turn()
  site.last().unsubscribe('room')
  const stream = client.read()
  const cursor = await stream.next(({ event }) => event === 'cursor')
  t.true(messages(stream.received).filter(isSecret).length < 150)
  t.deepEqual(messages(stream.received).slice(-2), ['missed', 'both'])
  t.is(cursor.id, undefined, 'The last event’s id is where it stands')
})
