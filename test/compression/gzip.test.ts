import { PassThrough, Readable } from 'node:stream'
import test from 'ava'
import type { Middleware } from 'koa'
import { createHub, eventStream, type EventStream } from 'koa-event-stream'
import { onEveryKoa } from '../koa/every-koa.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { openClient } from './client.ts'
import { measure, openSite, quote } from './site.ts'

for (const http2 of [false, true]) {
  const http = `HTTP/${http2 ? '2' : '1.1'}`

  test(`over ${http} gzip holds what plain clients get, each event at once, in a quarter of the bytes`, async t => {
    const { hub, open } = await openSite(t, {}, { http2 })
    const compressed = [await open('ann'), await open('bob')]
    const plain = await open('cid', { encoding: 'identity' })
    const all = [...compressed, plain]
    t.deepEqual(
      all.map(({ isCompressed }) => isCompressed),
      [true, true, false],
    )
    for (const { headers } of all) t.is(headers.vary, 'Accept-Encoding')
    const before = all.map(({ wireBytes }) => wireBytes)
    for (let n = 0; n < 200; n += 1) {
      const id = await hub.publish('news', quote(n))
      await Promise.all(all.map(client => client.shows(`id: ${id}\n`)))
    }
    const [ann = 0, bob = 0, cid = 0] = all.map(({ wireBytes }, index) => wireBytes - (before[index] ?? 0))
    t.is(ann, bob)
    t.true(ann * 4 < cid, `${ann} of ${cid} bytes`)
    await hub.drain()
    // Of a wrong CRC or length in the trailer zlib would say so.
    t.deepEqual(await Promise.all(all.map(({ closed }) => closed)), ['end', 'end', 'end'])
    for (const { blocks } of compressed) t.deepEqual(blocks, plain.blocks)
  })

  test(`over ${http} a stream that is cut has no trailer`, async t => {
    const streams: EventStream[] = []
    const { hub, open, errors } = await openSite(
      t,
      { subscribe: stream => (streams.push(stream), 'news') },
      { http2, expectsErrors: true },
    )
    const [ann, bob] = [await open('ann'), await open('bob')]
    await hub.publish('news', quote(1))
    await Promise.all([ann, bob].map(client => client.shows('event: quote')))
    streams[0]?.destroy(new Error('lost'))
    t.is(await ann.closed, 'cut')
    t.is(errors.length, 1)
    const id = await hub.publish('news', quote(2))
    await bob.shows(`id: ${id}\n`)
    bob.close()
  })
}

const READABLE = ['gzip', 'GZIP', 'gzip, deflate, br, zstd', 'br;q=1.0, gzip;q=0.5', '*']
const UNREADABLE = ['', 'identity', 'gzip;q=0', 'gzip; q=0.0, *', 'br', 'deflate, br', '*;q=0']

test('`Accept-Encoding` decides, and a HEAD is told what a GET gets', async t => {
  const { url, open } = await openSite(t)
  const poll = await openClient(`${url}/?stream=poll`, { method: 'HEAD', headers: { 'x-user': 'ann' } })
  t.is(poll.headers['content-encoding'], undefined)
  for (const [encodings, expected] of [
    [READABLE, 'gzip'],
    [UNREADABLE, undefined],
  ] as const) {
    for (const encoding of encodings) {
      const client = await open('ann', { encoding })
      client.close()
      const head = await openClient(url, { method: 'HEAD', encoding, headers: { 'x-user': 'ann' } })
      for (const { headers } of [client, head]) {
        t.is(headers['content-encoding'], expected, encoding)
        t.is(headers.vary, 'Accept-Encoding')
      }
    }
  }
})

test('without the option nothing is said of encodings, and a wrong one is refused at start-up', async t => {
  const { open } = await openSite(t, { compress: false })
  const client = await open('ann')
  t.is(client.headers.vary, undefined)
  t.false(client.isCompressed)
  client.close()
  const hub = createHub()
  const wrong = { hub, authenticate: false, subscribe: () => 'news', compress: 'br' as 'gzip' } as const
  t.throws(() => eventStream(wrong), { instanceOf: TypeError, message: /`compress` must be one of `gzip`, `false`/ })
  await hub.close()
})

test('a source and a long poll are nobody else’s, and plain', async t => {
  async function* source() {
    yield { data: 'one' }
  }
  const { url } = await openSite(t, { subscribe: (_, ctx) => (ctx.query.source === undefined ? 'news' : source()) })
  const headers = { 'x-user': 'ann' }
  const ofSource = await openClient(`${url}/?source`, { headers })
  const poll = await openClient(`${url}/?stream=poll`, { headers })
  t.is(await ofSource.closed, 'end')
  for (const client of [ofSource, poll]) t.false(client.isCompressed)
  poll.close()
})

for (const [what, body] of [
  ['text', () => 'something else'],
  ['a stream', () => Readable.from(['something else'])],
] as const) {
  onEveryKoa(`${what} in place of the stream is not called gzip`, async (t, Koa) => {
    const { url } = await openSite(t, {}, { Koa, outer: [async (ctx, next) => (await next(), (ctx.body = body()))] })
    const client = await openClient(url, { headers: { 'x-user': 'ann' } })
    t.is(await client.closed, 'end')
    t.is(client.text, 'something else')
    t.is(client.headers.vary, 'Accept-Encoding')
  })
}

onEveryKoa('what reads the stream in between reads gzip and passes it on', async (t, Koa) => {
  const through: Middleware[] = [
    async (ctx, next) => (await next(), (ctx.body = (ctx.body as Readable).pipe(new PassThrough()))),
  ]
  const { hub, open } = await openSite(t, {}, { Koa, outer: through })
  const client = await open('ann')
  t.true(client.isCompressed)
  await hub.drain()
  t.is(await client.closed, 'end')
})

test('a stream that is read before it is open stays plain', async t => {
  const { hub, url } = await openSite(t, {
    subscribe: async stream => {
      stream.on('data', () => {})
      await new Promise(setImmediate)
      return 'news'
    },
  })
  const client = await openClient(url, { headers: { 'x-user': 'ann' } })
  t.false(client.isCompressed)
  await hub.publish('news', quote(1))
  await client.shows('event: quote')
  await hub.drain()
  t.is(await client.closed, 'end')
})

test('a heartbeat moves no window, and one that pages see does', async t => {
  for (const [event, wire] of [
    [undefined, 5],
    ['ping', 25],
  ] as const) {
    const clock = new ManualClock()
    const heartbeat = { interval: 1_000, ...(event !== undefined && { event }) }
    const { hub, open } = await openSite(t, { heartbeat }, { hub: { clock } })
    const [ann, bob] = [await open('ann'), await open('bob')]
    for (let n = 0; n < 10; n += 1) {
      const id = await hub.publish('news', quote(n))
      await Promise.all([ann, bob].map(client => client.shows(`id: ${id}\n`)))
    }
    const before = ann.wireBytes
    clock.advance(1_500)
    await ann.untilBytes(before + wire)
    t.is(ann.wireBytes, before + wire)
    const { text, wire: next } = await measure(
      ann,
      () => hub.publish('news', quote(10)),
      all => all.includes('id: '),
    )
    t.is(next * 2 < text, event === undefined, `${next} of ${text}`)
    await hub.drain()
    t.is(await ann.closed, 'end')
    t.is(await bob.closed, 'end')
  }
})

test('a newcomer, and who was sent something alone, come to share the window', async t => {
  const streams = new Map<string, EventStream>()
  const subscribe = (stream: EventStream) => {
    streams.set(stream.identity.id, stream)
    return 'news'
  }
  const { hub, open } = await openSite(t, { subscribe })
  const [ann, bob] = [await open('ann'), await open('bob')]
  let n = 0
  const publish = () => hub.publish('news', quote((n += 1)))
  const next = () => measure(ann, publish, all => all.includes('id: '))
  for (let i = 0; i < 20; i += 1) await next()
  const member = (await next()).wire
  const cid = await open('cid')
  await streams.get('bob')?.send({ data: 'only bob' })
  // Until the window begins anew: they are two of three.
  for (let i = 0; i < 20; i += 1) await next()
  const before = [ann, bob, cid].map(({ wireBytes }) => wireBytes)
  const last = await publish()
  await Promise.all([ann, bob, cid].map(client => client.shows(`id: ${last}\n`)))
  const sizes = [ann, bob, cid].map(({ wireBytes }, index) => wireBytes - (before[index] ?? 0))
  t.is(new Set(sizes).size, 1, String(sizes))
  t.true((sizes[0] ?? 0) < member * 1.5, String(sizes))
  await hub.drain()
  t.deepEqual(await Promise.all([ann, bob, cid].map(({ closed }) => closed)), ['end', 'end', 'end'])
})

test('what one stream is sent ahead of the others leaves the others in step', async t => {
  const streams = new Map<string, EventStream>()
  const subscribe = (stream: EventStream) => {
    streams.set(stream.identity.id, stream)
    return 'news'
  }
  const { hub, open } = await openSite(t, { subscribe })
  const [ann, bob, cid] = [await open('ann'), await open('bob'), await open('cid')]
  for (let n = 0; n < 20; n += 1) {
    const publishing = hub.publish('news', quote(n))
    // Before the turn ends; to the first of them, who would set the pace.
    if (n > 10) void streams.get('ann')?.send({ data: 'only ann' })
    const { text, wire } = await measure(
      bob,
      () => publishing,
      all => all.includes('id: '),
    )
    if (n > 10) t.true(wire * 2 < text, `${wire} of ${text}`)
  }
  await hub.drain()
  t.deepEqual(await Promise.all([ann, bob, cid].map(({ closed }) => closed)), ['end', 'end', 'end'])
  t.deepEqual(bob.blocks, cid.blocks)
})
