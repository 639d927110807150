import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { memoryBroker, type ConflatedEvent, type Hub } from 'koa-event-stream'
import { openEndpoint } from '../koa/endpoint.ts'
import { openStream } from '../support/http.ts'
import type { ReceivedStream } from '../support/received-stream.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const BUFFER = 500_000
const SYMBOLS = ['A', 'B', 'C']
const PADDING = 'x'.repeat(100_000)

interface Price {
  readonly symbol: string
  readonly n: number
}

const priceOf = (data: string) => JSON.parse(data.slice(0, data.indexOf('|'))) as Price
const symbolOf = ({ data }: ConflatedEvent) => priceOf(data).symbol
const pricesIn = (stream: ReceivedStream) => stream.received.filter(({ event }) => event === 'price')

/** A client that reads nothing, on a way that takes nothing, until what it has missed is no longer being kept for it. */
async function leftBehind(t: ExecutionContext, buffer: object) {
  const history = { bytes: 1_000_000_000, count: 100_000 }
  const endpoint = await openEndpoint(
    t,
    { buffer: { bytes: BUFFER, ...buffer } },
    { hub: { broker: memoryBroker({ history }) } },
  )
  const { hub } = endpoint
  const way = await openTcpProxy(endpoint.port, t)
  const client = await openStream(way.url, { headers: { 'x-user': 'ann' } })
  await client.next(({ event }) => event === 'cursor')
  way.hold()
  const published: string[] = []
  // The kernel takes some megabytes, then the buffer fills, and then nothing more is kept.
  let full = 0
  while (full < 50) {
    t.true(published.length < 2_000, 'It is never left behind')
    published.push(await publish(hub, published.length))
    const { bufferedBytes } = hub.stats()
    t.true(bufferedBytes <= BUFFER + PADDING.length, `${bufferedBytes} bytes wait`)
    if (bufferedBytes > BUFFER - 2 * PADDING.length) full += 1
  }
  return { ...endpoint, client, way, published }
}

async function publish(hub: Hub, n: number): Promise<string> {
  const price: Price = { symbol: SYMBOLS[n % SYMBOLS.length] ?? '', n }
  const id = await hub.publish('news', { event: 'price', data: `${JSON.stringify(price)}|${PADDING}` })
  await turn()
  return id
}

test('drop: a client that was left behind is told of a gap, and goes on from there', async t => {
  const { hub, client, way, published, story } = await leftBehind(t, { policy: 'drop' })
  way.mend()
  const gap = await client.next(({ event }) => event === 'gap')
  t.deepEqual(JSON.parse(gap.data), { topics: ['news'], reason: 'overflow' })
  const before = pricesIn(client).map(({ id }) => id)
  t.deepEqual(before, published.slice(0, before.length))
  t.true(before.length < published.length)
  const cursor = await client.next(({ event }) => event === 'cursor')
  t.is(cursor.id, published.at(-1))
  const next = await publish(hub, published.length)
  t.is((await client.next()).id, next)
  t.deepEqual(story, ['open', 'gap overflow'])
})

test('conflate: a client that was left behind gets the latest of each key, in order, and goes on from there', async t => {
  const { hub, client, way, published, story } = await leftBehind(t, { policy: 'conflate', key: symbolOf })
  way.mend()
  await client.next(({ id }) => id === published.at(-1))
  const received = pricesIn(client).map(({ id }) => id)
  const late = received.slice(-SYMBOLS.length)
  const before = received.slice(0, -SYMBOLS.length)
  t.deepEqual(before, published.slice(0, before.length))
  t.true(before.length < published.length - SYMBOLS.length)
  t.deepEqual(late, published.slice(-SYMBOLS.length))
  const next = await publish(hub, published.length)
  t.is((await client.next()).id, next)
  t.deepEqual(story, ['open'])
  t.is(hub.stats().gaps, 0)
})

test('conflate: what has no key is kept, each', async t => {
  const { client, way, published } = await leftBehind(t, {
    policy: 'conflate',
    key: (event: ConflatedEvent) => (symbolOf(event) === 'A' ? undefined : symbolOf(event)),
  })
  way.mend()
  await client.next(({ id }) => id === published.at(-1))
  const received = pricesIn(client)
  t.deepEqual(
    received.filter(({ data }) => priceOf(data).symbol === 'A').map(({ id }) => id),
    published.filter((_, n) => n % SYMBOLS.length === 0),
  )
  t.true(received.length < published.length)
})
