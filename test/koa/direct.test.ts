import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, request } from 'node:https'
import type { Readable } from 'node:stream'
import type { Middleware } from 'koa'
import type { EventStream } from 'koa-event-stream'
import { raw, serveTls } from '../support/http.ts'
import { ReceivedStream } from '../support/received-stream.ts'
import { openEndpoint, REQUEST } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

onEveryKoa('what streams share is a chunk of the response, byte for byte', async (t, Koa) => {
  const { hub, port } = await openEndpoint(t, { heartbeat: false }, { Koa })
  const client = await raw(port, REQUEST)
  await client.until(/event: cursor\ndata: .*\n\n\r\n/)
  const before = client.bytes.length
  const ids = await Promise.all(['one', 'two'].map(data => hub.publish('news', { data })))
  await client.until('data: two\n\n\r\n')
  const events = ids.map((id, n) => `id: ${id}\ndata: ${['one', 'two'][n]}\n\n`)
  t.is(client.text.slice(before), chunked(events.join('')), 'events of one turn are one chunk')
  const third = `id: ${await hub.publish('news', { data: 'three' })}\ndata: three\n\n`
  await client.until('data: three\n\n\r\n')
  t.is(client.text.slice(before), chunked(events.join('')) + chunked(third))
  client.close()
})

onEveryKoa('the connection of a stream that has ended whole serves the next request', async (t, Koa) => {
  const page: Middleware = (ctx, next) => {
    if (ctx.path !== '/page') return next()
    ctx.body = 'an ordinary page'
  }
  const { hub, port, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [page] })
  const client = await raw(port, REQUEST)
  await client.until('event: cursor')
  for (let n = 0; n < 3; n += 1) {
    await hub.publish('news', { data: `round ${n}` })
    await client.until(`data: round ${n}\n\n\r\n`)
  }
  await hub.publish('news', { data: 'last' })
  await hub.disconnect({ identity: 'ann' })
  await client.until(/data: last\n\n[^]*event: goaway\ndata: {"reason":"server"}\n\n\r\n0\r\n\r\n$/)
  await isEmpty()
  const before = client.bytes.length
  client.write('GET /page HTTP/1.1\r\nHost: x\r\n\r\n')
  await hub.publish('news', { data: 'nobody is there' })
  await client.until('an ordinary page')
  t.regex(client.text.slice(before), /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nan ordinary page$/)
  client.close()
})

onEveryKoa('a stream that others end the response of gets nothing more, and ends', async (t, Koa) => {
  let response: ServerResponse | undefined
  const { hub, open, tells } = await openEndpoint(
    t,
    {},
    {
      Koa,
      outer: [
        (ctx, next) => {
          response = ctx.res
          return next()
        },
      ],
    },
  )
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  response?.end()
  await hub.publish('news', { data: 'too late' })
  t.is(await stream.closed, 'end')
  t.notRegex(await stream.text(), /too late/)
  await tells('close replaced')
})

onEveryKoa('nothing follows the end of a response that waits for its client', async (t, Koa) => {
  const held: { stream?: EventStream; response?: ServerResponse } = {}
  const { hub, port } = await openEndpoint(
    t,
    {
      heartbeat: false,
      subscribe: (stream, ctx) => {
        Object.assign(held, { stream, response: ctx.res })
        return 'news'
      },
    },
    { Koa },
  )
  const client = await raw(port, REQUEST)
  await client.until('event: cursor')
  client.pause()
  // Until the kernel takes no more, so that the end has to wait.
  while (held.stream?.bufferedBytes === 0) {
    await hub.publish('news', { data: 'x'.repeat(8_000) })
    await new Promise(setImmediate)
  }
  held.response?.end()
  await hub.publish('news', { data: 'too late' })
  await new Promise(setImmediate)
  client.resume()
  await client.until(/\r\n0\r\n\r\n$/)
  t.notRegex(client.text, /too late/)
  client.close()
})

const passOn: Middleware = async (_, next) => {
  await next()
}

for (let layers = 0; layers <= 6; layers += 1) {
  onEveryKoa(`a source goes on behind an event over the buffer’s mark, ${layers} layers deep`, async (t, Koa) => {
    const { open } = await openEndpoint(
      t,
      {
        subscribe: async function* () {
          yield { data: 'x'.repeat(20_000) }
          yield { data: 'second' }
        },
      },
      { Koa, outer: Array.from({ length: layers }, () => passOn) },
    )
    const stream = await open()
    t.like(await stream.next(({ data }) => data === 'second'), { data: 'second' })
    t.is(await stream.closed, 'end')
  })
}

for (const [how, error] of [
  ['with an error', new Error('too soon')],
  ['without', undefined],
] as const) {
  onEveryKoa(`a stream that is destroyed ${how} right before Koa responds is cut`, async (t, Koa) => {
    const destroying: Middleware = async (ctx, next) => {
      await next()
      ;(ctx.body as Readable).destroy(error)
    }
    const { open, errors, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [destroying], expectsErrors: true })
    const answer = await open().catch(() => undefined)
    if (answer !== undefined) await answer.closed
    await isEmpty()
    t.deepEqual(errors.map(String), error === undefined ? [] : ['Error: too soon'])
  })
}

onEveryKoa('a listener of errors that throws keeps no place', async (t, Koa) => {
  let held: EventStream | undefined
  const { app, open, isEmpty } = await openEndpoint(
    t,
    {
      subscribe: stream => {
        held = stream
        return 'news'
      },
    },
    { Koa, expectsErrors: true },
  )
  const thrown = new Promise(resolve => {
    app.on('error', error => {
      resolve(error)
      if (String(error) === 'Error: broken') throw error
    })
  })
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', () => {
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  const stream = await open()
  held?.destroy(new Error('broken'))
  t.is(await stream.closed, 'cut')
  t.is(String(await thrown), 'Error: broken')
  await isEmpty()
})

onEveryKoa('what is sent, published and written in one turn keeps its order, also over TLS', async (t, Koa) => {
  let held: EventStream | undefined
  const { app, hub } = await openEndpoint(
    t,
    {
      subscribe: stream => {
        held = stream
        return 'news'
      },
    },
    { Koa },
  )
  const { url, ca } = await serveTls(app, t)
  const outgoing = request(url, { ca, headers: { 'x-user': 'ann' }, agent: new Agent({ keepAlive: true }) }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const stream = new ReceivedStream(incoming.statusCode ?? 0, incoming.headers, incoming, () => outgoing.destroy())
  await stream.next(({ event }) => event === 'cursor')
  const expected: string[] = []
  for (let n = 0; n < 20; n += 1) {
    void held?.send({ data: `sent ${n}` })
    held?.write(`data: written ${n}\n\n`)
    await hub.publish('news', { data: `published ${n}` })
    await new Promise(setImmediate)
    expected.push(`sent ${n}`, `written ${n}`, `published ${n}`)
  }
  held?.close()
  t.is(await stream.closed, 'end')
  t.deepEqual(
    stream.received.filter(({ event }) => event === 'message').map(({ data }) => data),
    expected,
  )
})

/** A chunk of a response in chunked coding (RFC 9112, section 7.1). */
function chunked(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
}
