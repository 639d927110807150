import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import Koa from 'koa'
import { createHub, eventStream, type EventStream, type Identity } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { openStream, raw, serve } from '../support/http.ts'
import { HeldResolver, openEndpoint, reasonOf, REQUEST } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

onEveryKoa('bytes that are written or piped into the stream pass as they are', async (t, Koa) => {
  const pieces = [
    Buffer.from([0x64, 0xe2, 0x82]),
    Buffer.from([0xac, 0x0a]),
    Buffer.from('\r\n: not mine\n\n'),
    Buffer.from([0xff, 0x00]),
  ]
  const { url, tells } = await openEndpoint(
    t,
    {
      subscribe: stream => {
        stream.write('data: raw\n\n')
        setImmediate(() => Readable.from(pieces).pipe(stream))
      },
    },
    { Koa },
  )
  const response = await fetch(url, { headers: { 'x-user': 'ann' } })
  const bytes = Buffer.from(await response.arrayBuffer())
  const [retry = ''] = /^retry: \d+\n/.exec(bytes.toString('latin1')) ?? []
  // They end in the middle of a block, which nothing may be put behind.
  t.deepEqual(bytes, Buffer.concat([Buffer.from(retry + 'data: raw\n\n'), ...pieces]))
  await tells('close done')
})

onEveryKoa('a source that is piped in is held back by a client that does not read', async (t, Koa) => {
  let read = 0
  const chunk = Buffer.alloc(10_000, ':')
  const source = new Readable({
    read() {
      read += 1
      this.push(chunk)
    },
  })
  let held: EventStream | undefined
  const subscribe = (stream: EventStream) => {
    held = stream
    source.pipe(stream)
  }
  const { port, tells } = await openEndpoint(t, { subscribe }, { Koa })
  const client = await raw(port, REQUEST)
  client.pause()
  // The kernel has to be full first: until then the source pauses and goes on.
  let [last, quiet] = [0, 0]
  await eventually(
    () => {
      quiet = read === last && (held?.bufferedBytes ?? 0) > 0 ? quiet + 1 : 0
      last = read
      return quiet > 20
    },
    () => `Read ${String(read)} times`,
  )
  const before = read
  await turn()
  t.is(read, before)
  const buffered = held?.bufferedBytes ?? NaN
  t.true(buffered > 0 && buffered <= 3 * 65_536, String(buffered))
  client.resume()
  await eventually(
    () => read > before + 10,
    () => 'It is read no more',
  )
  client.close()
  await tells('close client')
})

test('send answers true while the stream is open, and false, at once, when it has closed', async t => {
  const { subscribe, asked, answer } = new HeldResolver()
  const { open, isEmpty } = await openEndpoint(t, { subscribe })
  const opening = open()
  const { stream } = await asked
  answer(undefined)
  const client = await opening
  t.true(await stream.send({ data: 'a' }))
  t.like(await client.next(), { data: 'a' })
  stream.close()
  t.false(await stream.send({ data: 'b' }))
  await isEmpty()
  t.false(await stream.send({ data: 'c' }))
  await t.throwsAsync(stream.send({ event: 'a\nb', data: '' }), { code: 'ERR_EVENT_INVALID' })
  t.notThrows(() => {
    stream.comment('d')
    stream.close()
    stream.unsubscribe('news')
  })
  t.is(await client.closed, 'end')
  t.notRegex(await client.text(), /: d|data: [bc]/)
})

onEveryKoa('sends that wait for a client which does not read all end when it leaves', async (t, Koa) => {
  const { subscribe, asked, answer } = new HeldResolver()
  const { port, hub } = await openEndpoint(t, { subscribe, buffer: { bytes: 64_000_000 } }, { Koa })
  const client = await raw(port, REQUEST)
  const { stream } = await asked
  answer(undefined)
  await client.until('retry: ')
  client.pause()
  const sends = Array.from({ length: 100 }, () => stream.send({ data: 'x'.repeat(200_000) }))
  t.true(hub.stats().bufferedBytes > 10_000_000)
  client.close()
  const answers = await Promise.all(sends)
  t.is(answers.at(-1), false)
})

test('the signal tells why the stream closed, whenever it is asked for', async t => {
  const streams: EventStream[] = []
  const { open, hub, isEmpty } = await openEndpoint(t, { subscribe: stream => void streams.push(stream) })
  const clients = [await open(), await open()]
  const [early, late] = streams
  const { signal } = early ?? t.fail()
  t.false(signal.aborted)
  t.is(early?.signal, signal)
  await hub.disconnect({ identity: 'ann' }, 'logout')
  t.is(await reasonOf(signal), 'logout')
  t.is(late?.signal.reason, 'logout')
  for (const client of clients) t.is(await client.closed, 'end')
  await isEmpty()
})

test('a stream has its own id, its identity, and topics that come and go while it lives', async t => {
  const streams: EventStream[] = []
  const { open, hub } = await openEndpoint(t, {
    subscribe: stream => {
      streams.push(stream)
      return 'news'
    },
  })
  const client = await open({ headers: { 'last-event-id': 'what it says' } })
  await open()
  const [stream, other] = streams
  if (stream === undefined) return t.fail()
  t.regex(stream.id, /^[\w-]{16,}$/)
  t.not(stream.id, other?.id)
  t.is(stream.identity.id, 'ann')
  t.is(stream.lastEventId, 'what it says')
  await stream.subscribe('sport')
  await hub.publish('sport', { data: 'goal' })
  t.like(await client.next(({ event }) => event === 'message'), { data: 'goal' })
  stream.unsubscribe('sport', 'never had')
  await hub.publish('sport', { data: 'unheard' })
  await hub.publish('news', { data: 'heard' })
  t.like(await client.next(), { data: 'heard' })
  await t.throwsAsync(stream.subscribe('a\nb'), { code: 'ERR_TOPIC_INVALID' })
  await t.throwsAsync(stream.send({ data: 'x', id: '1' }), { code: 'ERR_EVENT_INVALID', message: /omit `id`/ })
})

test('only where the route says so is there a stream without an identity', async t => {
  const hub = createHub()
  const app = new Koa()
  const seen: unknown[] = []
  app.use(
    eventStream({
      hub,
      authenticate: false,
      subscribe: stream => {
        const identity: undefined = stream.identity
        seen.push(identity)
      },
    }),
  )
  const { url } = await serve(app, t)
  t.is((await openStream(url)).status, 200)
  t.deepEqual(seen, [undefined])

  eventStream({
    hub,
    authenticate: { scheme: 'x', challenge: 'X', ambient: false, authenticate: () => undefined },
    subscribe: stream => {
      const identity: Identity = stream.identity
      return identity.id
    },
  })
})
