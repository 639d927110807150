import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { memoryBroker, type EventStream } from 'koa-event-stream'
import { openEndpoint, type StreamOptions } from '../koa/endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { openStream } from '../support/http.ts'
import { messages, openSite } from './site.ts'
import { SlowBroker } from './slow-broker.ts'

const PADDING = 'x'.repeat(100_000)
const GAPS = ({ event }: { event: string }) => event === 'gap'

test('a first topic added to a stream that came with a cursor brings what was missed, then its own cursor', async t => {
  const site = await openSite(t)
  const [since] = await site.publish('room', 'seen')
  const ids = await site.publish('room', 'missed 1', 'missed 2')
  const stream = await site.open('', `lastEventId=${since}`)
  await turn()
  await site.last().subscribe('room')
  const cursor = await stream.next(({ event }) => event === 'cursor')
  t.deepEqual(messages(stream.received), ['missed 1', 'missed 2'])
  t.is(cursor.id, undefined)
  t.is(stream.received.findLast(({ id }) => id !== undefined)?.id, ids.at(-1))
})

for (const [reason, id, history] of [
  ['unknown', 'none of ours', {}],
  ['epoch', 'another-1', {}],
  ['trimmed', undefined, { count: 1 }],
] as const) {
  test(`a first topic of which something is lost (${reason}) is told of as a gap before the cursor moves`, async t => {
    const site = await openSite(t, { hub: { broker: memoryBroker({ history }) } })
    const [first] = await site.publish('room', 'seen', 'lost', 'last')
    const stream = await site.open('', `lastEventId=${id ?? first}`)
    await turn()
    await site.last().subscribe('room')
    await stream.next(({ event }) => event === 'cursor')
    const firstWithId = stream.received.findIndex(event => event.id !== undefined)
    const gap = stream.received.findIndex(GAPS)
    t.deepEqual(JSON.parse(stream.received[gap]?.data ?? ''), { topics: ['room'], reason })
    t.true(gap < firstWithId)
  })
}

test('a topic that is taken away and added again brings nothing a second time', async t => {
  const site = await openSite(t)
  const [since] = await site.publish('room', 'seen')
  await site.publish('room', 'missed')
  const stream = await site.open('', `lastEventId=${since}`)
  await turn()
  await site.last().subscribe('room')
  await stream.next(({ event }) => event === 'cursor')
  await site.publish('room', 'live')
  await stream.next(({ data }) => data === 'live')
  site.last().unsubscribe('room')
  await site.publish('room', 'not meant for it')
  await site.last().subscribe('room')
  await site.publish('room', 'end')
  await stream.next(({ data }) => data === 'end')
  t.deepEqual(messages(stream.received), ['missed', 'live', 'end'])
})

/** A client of `room` that has fallen behind by many events, and that reads on when told to. */
async function lagging(t: Parameters<typeof openEndpoint>[0], buffer: NonNullable<StreamOptions['buffer']>) {
  const slow = new SlowBroker(memoryBroker({ history: { bytes: 1_000_000_000, count: 100_000 } }))
  slow.allow('subscribe room', 'load')
  let held: EventStream | undefined
  const endpoint = await openEndpoint(
    t,
    {
      heartbeat: false,
      buffer: { bytes: 300_000, ...buffer },
      subscribe: stream => {
        held = stream
        return 'room'
      },
    },
    { hub: { broker: slow.broker } },
  )
  const { hub } = endpoint
  const way = await openTcpProxy(endpoint.port, t)
  const client = await openStream(way.url, { headers: { 'x-user': 'ann' } })
  await client.next(({ event }) => event === 'cursor')
  way.hold()
  for (let full = 0; full < 50;) {
    await hub.publish('room', { data: PADDING })
    await turn()
    if ((held?.bufferedBytes ?? 0) > 150_000) full += 1
  }
  // Small ones, so that it takes many turns to look at all of them.
  for (let n = 0; n < 2_000; n += 1) await hub.publish('room', { data: `small ${n}` })
  if (held === undefined) throw new Error('no stream')
  return { ...endpoint, slow, way, client, stream: held }
}

for (const buffer of [
  { policy: 'drop' },
  { policy: 'conflate', key: ({ data }: { data: string }) => data.slice(-2) },
] as const) {
  test(`${buffer.policy}: a topic added to a stream that lags brings no gap, and nothing from before`, async t => {
    const { hub, slow, way, client, stream } = await lagging(t, buffer)
    await hub.publish('late', { data: 'before' })
    const adding = stream.subscribe('late')
    slow.allow('subscribe late')
    await adding
    await hub.publish('late', { data: 'after' })
    way.mend()
    await hub.publish('late', { data: 'end' })
    await client.next(({ data, event }) => data === 'end' || event === 'gap')
    await eventually(
      () => stream.bufferedBytes === 0,
      () => 'Not all is read',
    )
    const gaps = client.received.filter(GAPS).map(({ data }) => JSON.parse(data) as { topics: string[] })
    t.deepEqual(
      client.received.filter(({ data }) => data === 'before'),
      [],
    )
    if (buffer.policy === 'conflate') t.deepEqual(gaps, [])
  })

  test(`${buffer.policy}: a topic that is being added while the client catches up brings no gap, and nothing from before`, async t => {
    const { hub, slow, way, client, stream } = await lagging(t, buffer)
    await hub.publish('late', { data: 'before' })
    // The broker takes its time: the client has read everything, and what it has missed is looked at meanwhile.
    const adding = stream.subscribe('late')
    way.mend()
    await eventually(
      () => stream.writer.isIdle,
      () => 'Not all is read',
    )
    for (let n = 0; n < 40; n += 1) await turn()
    // What a client misses that lags is dropped, and told.
    const between = buffer.policy === 'drop' ? [] : ['between']
    for (const data of between) await hub.publish('late', { data })
    await hub.publish('room', { data: 'room, later' })
    for (let n = 0; n < 40; n += 1) await turn()
    slow.allow('subscribe late')
    await adding
    await hub.publish('late', { data: 'end' })
    await client.next(({ data }) => data === 'end')
    const late = messages(client.received).filter(data => ['before', 'between', 'end'].includes(data))
    t.deepEqual(late, [...between, 'end'])
    const gaps = client.received.filter(GAPS).map(({ data }) => JSON.parse(data) as { topics: string[] })
    t.deepEqual(
      gaps.flatMap(({ topics }) => topics).filter(topic => topic === 'late'),
      [],
    )
    const ids = client.received.flatMap(({ id }) => (id === undefined ? [] : [Number(id.split('-').at(-1))]))
    t.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    t.is(new Set(ids).size, ids.length)
  })
}

test('a topic added while the scan of a conflating stream is on its way is not looked at by it', async t => {
  const { hub, slow, way, client, stream } = await lagging(t, { policy: 'conflate', key: ({ data }) => data.slice(-2) })
  await hub.publish('late', { data: 'before' })
  way.mend()
  await eventually(
    () => stream.writer.isIdle,
    () => 'Not all is read',
  )
  const adding = stream.subscribe('late')
  for (let n = 0; n < 40; n += 1) await turn()
  slow.allow('subscribe late')
  await adding
  await hub.publish('late', { data: 'end' })
  await client.next(({ data }) => data === 'end')
  t.deepEqual(
    client.received.filter(({ data }) => data === 'before'),
    [],
  )
})
