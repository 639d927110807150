import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, request } from 'node:https'
import { pipeline, type Readable } from 'node:stream'
import type { Context, Middleware, Next } from 'koa'
import type { EventStream } from 'koa-event-stream'
import onFinished from 'on-finished'
import { Deferred } from '../support/deferred.ts'
import { raw, serveTls } from '../support/http.ts'
import { ReceivedStream } from '../support/received-stream.ts'
import { openEndpoint, REQUEST } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

onEveryKoa('what streams share is a chunk of the response, byte for byte', async (t, Koa) => {
  const { hub, port } = await openEndpoint(t, { heartbeat: false }, { Koa })
  const client = await raw(port, REQUEST)
  await client.until('event: cursor\ndata:\n\n')
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
  await client.until('data: last\n\n\r\n0\r\n\r\n')
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

onEveryKoa('others keep the listeners that they have on a response and its body', async (t, Koa) => {
  const heard: string[] = []
  const listening: Middleware = async (ctx, next) => {
    ctx.res.once('finish', () => heard.push('finish'))
    await next()
    ctx.res.on('close', () => heard.push('close'))
    ;(ctx.body as Readable).once('end', () => heard.push('end'))
  }
  const { hub, open, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [listening] })
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  await hub.disconnect({ identity: 'ann' })
  t.is(await stream.closed, 'end')
  await isEmpty()
  t.deepEqual(heard, ['end', 'finish', 'close'])
})

onEveryKoa('a stream that lives holds no listeners of Koa’s', async (t, Koa) => {
  const contexts: Context[] = []
  const { open, hub } = await openEndpoint(
    t,
    {},
    {
      Koa,
      outer: [
        (ctx, next) => {
          contexts.push(ctx)
          return next()
        },
      ],
    },
  )
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  await hub.publish('news', { data: 'x' })
  await stream.next(({ event }) => event === 'message')
  const [{ res, body, socket } = {}] = contexts
  t.is(res?.listenerCount('close'), 1, 'the mount’s')
  t.is(res?.listenerCount('error'), 1, 'the mount’s')
  t.is(res?.listenerCount('finish'), 1, 'Node’s')
  t.is(res?.listenerCount('end'), 0)
  t.is(socket?.listenerCount('error'), 1, 'Node’s')
  for (const name of ['close', 'end', 'finish', 'data', 'drain']) t.is((body as Readable).listenerCount(name), 0, name)
})

for (const [when, then] of [
  ['before', (ask: () => void, next: Next) => Promise.resolve().then(ask).then(next)],
  ['while', (ask: () => void, next: Next) => next().then(ask)],
  ['after', (ask: () => void, next: Next) => next().then(() => void setImmediate(ask))],
] as const) {
  onEveryKoa(`on-finished tells who asks it ${when} the stream opens of its end, once`, async (t, Koa) => {
    const heard: string[] = []
    const asked = new Deferred<void>()
    const asking: Middleware = ({ res }, next) =>
      then(() => {
        onFinished(res, error => heard.push(`${String(error)} ${String(res.writableFinished)}`))
        asked.resolve()
      }, next)
    const { hub, open, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [asking] })
    const stream = await open()
    await asked.promise
    await hub.publish('news', { data: 'x' })
    await stream.next(({ event }) => event === 'message')
    t.deepEqual(heard, [])
    await hub.disconnect({ identity: 'ann' })
    t.is(await stream.closed, 'end')
    await isEmpty()
    t.deepEqual(heard, ['null true'])
  })
}

onEveryKoa('an outer middleware may look at `ctx.respond`, and what it sets afterwards is kept', async (t, Koa) => {
  const logging: Middleware = async (ctx, next) => {
    await next()
    t.is(ctx.respond, undefined)
    await new Promise(setImmediate)
    ctx.cookies.set('late', 'yes')
  }
  const { hub, open } = await openEndpoint(t, {}, { Koa, outer: [logging] })
  const stream = await open()
  t.deepEqual(stream.headers['set-cookie'], ['late=yes; path=/; httponly'])
  await hub.publish('news', { data: 'x' })
  t.like(await stream.next(({ event }) => event === 'message'), { data: 'x' })
})

onEveryKoa('an outer middleware may respond by itself', async (t, Koa) => {
  const responding: Middleware = async (ctx, next) => {
    await next()
    ctx.respond = false
    ;(ctx.body as Readable).pipe(ctx.res)
  }
  const { hub, open, tells } = await openEndpoint(t, {}, { Koa, outer: [responding] })
  const stream = await open()
  await hub.publish('news', { data: 'x' })
  t.like(await stream.next(({ event }) => event === 'message'), { data: 'x' })
  await hub.disconnect({ identity: 'ann' })
  t.is(await stream.closed, 'end')
  await tells('close server')
})

onEveryKoa('who has said before that it responds in Koa’s place does so alone', async (t, Koa) => {
  const responding: Middleware = async (ctx, next) => {
    ctx.respond = false
    await next()
    ctx.res.end('mine')
  }
  const { open, tells } = await openEndpoint(t, {}, { Koa, outer: [responding] })
  t.is(await (await open()).text(), 'mine')
  await tells('close replaced')
})

onEveryKoa('an outer middleware may look, and then put a pipeline of its own in Koa’s place', async (t, Koa) => {
  const done = new Deferred<unknown>()
  const responding: Middleware = async (ctx, next) => {
    await next()
    if (ctx.respond === false) return
    ctx.respond = false
    pipeline(ctx.body as Readable, ctx.res, done.resolve)
  }
  const { hub, open } = await openEndpoint(t, {}, { Koa, outer: [responding] })
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  await hub.disconnect({ identity: 'ann' })
  t.is(await stream.closed, 'end')
  t.is(await done.promise, undefined)
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
