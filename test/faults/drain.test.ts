import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { HeldResolver, openEndpoint, reasonOf, REQUEST } from '../koa/endpoint.ts'
import { onEveryKoa } from '../koa/every-koa.ts'
import { openStream, raw, serve } from '../support/http.ts'

onEveryKoa(
  'a drain tells each client when to come back, ends it whole, and the server closes at once',
  async (t, Koa) => {
    const { hub, app, story } = await openEndpoint(t, { retry: 500 }, { Koa })
    const { url, server } = await serve(app)
    // A server that keeps idle connections for ever: only their release lets it close.
    server.keepAliveTimeout = 0
    const streams = await Promise.all(
      Array.from({ length: 20 }, (_, i) => openStream(url, { headers: { 'x-user': `user ${String(i)}` } })),
    )
    for (const stream of streams) await stream.next()
    await hub.publish('news', { data: 'the last' })
    const closed = once(server.close(), 'close')
    await hub.drain({ within: 30_000 })
    const retries = new Set<string>()
    for (const stream of streams) {
      t.is(await stream.closed, 'end')
      const [last, retry, goaway] = stream.received.slice(-3)
      t.like(last, { kind: 'event', data: 'the last' })
      t.is(retry?.kind, 'retry')
      t.like(goaway, { event: 'goaway', data: '{"reason":"drain"}' })
      t.true(Number(retry?.data) >= 500 && Number(retry?.data) <= 30_500, retry?.data)
      retries.add(retry?.data ?? '')
    }
    t.true(retries.size > 10, 'They would come back together')
    t.deepEqual(new Set(story), new Set(['open', 'close drain']))
    await closed
  },
)

onEveryKoa('newcomers of a drain are postponed, or rejected, and hold no connection', async (t, Koa) => {
  for (const overload of ['postpone', 'reject'] as const) {
    const { hub, app, story } = await openEndpoint(t, { overload }, { Koa })
    const { port, server } = await serve(app)
    server.keepAliveTimeout = 0
    await hub.drain()
    const closed = once(server, 'close')
    // The request is there when the server begins to close: a connection without one is closed at once.
    server.prependOnceListener('request', () => server.close())
    const connected = await raw(port, REQUEST)
    const text = await connected.until(/\r\n\r\n[^]+/)
    if (overload === 'postpone')
      t.regex(text, /^HTTP\/1\.1 200 OK[^]*\r\n\r\nretry: \d+\nevent: goaway\ndata: {"reason":"drain"}\n\n/)
    else t.regex(text, /^HTTP\/1\.1 503 Service Unavailable[^]*Retry-After: \d+\r\n/)
    await connected.ended()
    await closed
    t.deepEqual(story, [`refuse draining ${overload === 'postpone' ? '200' : '503'}`])
  }
})

/** A client that has begun to catch up on 20 MB, and reads no further. */
async function stalledClient(t: ExecutionContext) {
  const broker = memoryBroker({ history: { bytes: 100_000_000 } })
  const { hub, port, open } = await openEndpoint(t, {}, { hub: { broker } })
  const first = await open()
  const { id: start } = await first.next()
  const ids: string[] = []
  for (let i = 0; i < 200; i += 1) ids.push(await hub.publish('news', { data: 'x'.repeat(100_000) }))
  first.close()
  const client = await raw(port, REQUEST.replace('\r\n\r\n', `\r\nLast-Event-ID: ${start ?? ''}\r\n\r\n`))
  await client.until(ids[0] ?? '')
  client.pause()
  return { hub, client, ids }
}

test('a drain during catch-up ends the stream on a cursor from which the rest follows', async t => {
  const { hub, client, ids } = await stalledClient(t)
  const drained = hub.drain({ within: 10_000 })
  client.resume()
  await drained
  const text = await client.ended()
  t.regex(text, /retry: \d+\nevent: goaway\ndata: {"reason":"drain"}\n\n\r\n0\r\n\r\n$/)
  t.notRegex(text, /event: cursor/)
  const sent = [...text.matchAll(/id: (\S+)\n/g)].map(([, id]) => id ?? '')
  t.true(sent.length < ids.length, 'It was no catch-up')
  t.deepEqual(sent, ids.slice(0, sent.length))
})

test('closing the hub cuts short a drain that is under way', async t => {
  const { hub } = await stalledClient(t)
  const drained = hub.drain({ within: 1_000_000 })
  await hub.close()
  await drained
  t.is(hub.stats().streams, 0)
})

test('a drain while the resolver is busy postpones the client', async t => {
  const { subscribe, asked, answer } = new HeldResolver()
  const { hub, open, story } = await openEndpoint(t, { subscribe })
  const opening = open()
  const { stream } = await asked
  const drained = hub.drain()
  t.is(await reasonOf(stream.signal), 'drain')
  answer('news')
  await drained
  t.regex(await (await opening).text(), /^retry: \d+\nevent: goaway\ndata: {"reason":"drain"}\n\n$/)
  t.deepEqual(story, ['refuse draining 200'])
})

test('a second drain is the first, and after it the hub may be closed, more than once', async t => {
  const { hub, open } = await openEndpoint(t)
  const stream = await open()
  await stream.next()
  await Promise.all([hub.drain(), hub.drain({ within: 1 })])
  await hub.drain()
  await Promise.all([hub.close(), hub.close()])
  await t.throwsAsync(hub.publish('news', { data: 'late' }), { code: 'ERR_HUB_CLOSED' })
  t.is(await stream.closed, 'end')
})
