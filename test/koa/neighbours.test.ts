import { once } from 'node:events'
import { Readable, Transform } from 'node:stream'
import test from 'ava'
import type { Middleware } from 'koa'
import compress from 'koa-compress'
import conditional from 'koa-conditional-get'
import etag from '@koa/etag'
import helmet from 'koa-helmet'
import logger from 'koa-logger'
import mount from 'koa-mount'
import rateLimit from 'koa-ratelimit'
import { createHub, eventStream } from 'koa-event-stream'
import { openStream, serve } from '../support/http.ts'
import { byName, openEndpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

const NEIGHBOURS: [name: string, outer: () => Middleware[]][] = [
  ['koa-compress', () => [compress({ threshold: 0 })]],
  ['koa-etag and koa-conditional-get', () => [conditional(), etag()]],
  ['koa-helmet', () => [helmet()]],
  ['koa-logger', () => [logger(() => {})]],
  ['koa-ratelimit', () => [rateLimit({ driver: 'memory', db: new Map<string, unknown>(), max: 2, duration: 60_000 })]],
  ['all of them', () => [logger(() => {}), helmet(), compress({ threshold: 0 }), conditional(), etag()]],
]

for (const [name, outer] of NEIGHBOURS) {
  onEveryKoa(`events flow at once beside ${name}`, async (t, Koa) => {
    const { hub, open, tells } = await openEndpoint(t, {}, { Koa, outer: outer() })
    const stream = await open({ headers: { 'accept-encoding': 'gzip, br', 'if-none-match': '"an-etag"' } })
    t.is(stream.status, 200)
    t.is(stream.headers['content-encoding'], undefined)
    await stream.next()
    await hub.publish('news', { data: 'at once' })
    t.like(await stream.next(), { data: 'at once' })
    stream.close()
    await tells('close client')
  })
}

test('a rate limit in front of the stream answers before it', async t => {
  const outer = [rateLimit({ driver: 'memory', db: new Map<string, unknown>(), max: 1, duration: 60_000 })]
  const { open, story } = await openEndpoint(t, {}, { outer })
  t.is((await open()).status, 200)
  t.is((await open()).status, 429)
  t.deepEqual(story, ['open'])
})

onEveryKoa('a stream works in an application that is mounted in another', async (t, Koa) => {
  const hub = createHub()
  const inner = new Koa()
  inner.use(eventStream({ hub, authenticate: byName, subscribe: () => 'news' }))
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  inner.on('error', error => t.fail(String(error)))
  app.use(mount('/push', inner))
  const { url } = await serve(app, t)
  const stream = await openStream(`${url}/push`, { headers: { 'x-user': 'ann' } })
  t.is((await stream.next()).event, 'cursor')
  stream.close()
  await stream.closed
})

/** Sends the body through something else, as compressors that know no better do. */
const through: (make: () => Transform) => Middleware = make => async (ctx, next) => {
  await next()
  if (ctx.body instanceof Readable) ctx.body = ctx.body.pipe(make())
}

onEveryKoa('a stream that is piped through something else carries its events, and ends with it', async (t, Koa) => {
  const upper = () =>
    new Transform({
      transform: (chunk: Buffer, _, done) => done(null, chunk.toString().replace('loud', 'LOUD')),
    })
  const { hub, open, tells, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [through(upper)] })
  const [staying, leaving] = [await open(), await open({ headers: { 'x-user': 'ben' } })]
  await hub.publish('news', { data: 'loud' })
  for (const stream of [staying, leaving])
    t.like(await stream.next(({ event }) => event === 'message'), { data: 'LOUD' })
  leaving.close()
  await tells('close client')
  await hub.disconnect({ identity: 'ann' })
  t.is(await staying.closed, 'end')
  await isEmpty()
  t.is(hub.stats().closed.server, 1)
})

onEveryKoa('a stream that is abandoned behind something else takes the response along', async (t, Koa) => {
  const stuck = () => new Transform({ transform: () => {} })
  const { hub, open, tells } = await openEndpoint(
    t,
    { buffer: { bytes: 20_000 } },
    {
      Koa,
      outer: [
        async (ctx, next) => {
          await next()
          ctx.flushHeaders()
        },
        through(stuck),
      ],
    },
  )
  const stream = await open()
  for (let i = 0; i < 10; i += 1) {
    await hub.publish('news', { data: 'x'.repeat(10_000) })
    await new Promise(setImmediate)
  }
  await tells('close slow')
  t.is(await stream.closed, 'cut')
})

/** Counts the bytes of a response, as middleware for Express does that knows no callbacks. */
const counting: Middleware = async (ctx, next) => {
  const { res } = ctx
  const write = res.write.bind(res) as (chunk: Buffer) => boolean
  let bytes = 0
  res.write = (chunk: Buffer) => {
    bytes += chunk.length
    return write(chunk)
  }
  res.once('close', () => ctx.app.emit('counted', bytes))
  await next()
}

onEveryKoa('events flow through a `write` that middleware has replaced, and end with the stream', async (t, Koa) => {
  const { app, hub, open } = await openEndpoint(t, {}, { Koa, outer: [counting] })
  const counted = once(app, 'counted')
  const stream = await open()
  for (const data of ['one', 'two', 'three']) {
    await hub.publish('news', { data })
    t.like(await stream.next(({ event }) => event === 'message'), { data })
  }
  t.is(hub.stats().bufferedBytes, 0)
  await hub.disconnect({ identity: 'ann' })
  t.is(await stream.closed, 'end')
  t.true((await counted)[0] > 100)
})

for (const [what, body] of [
  ['a text', () => 'something else'],
  ['an object', () => ({ something: 'else' })],
  ['a stream', () => Readable.from(['something', 'else'])],
  ['nothing', () => null],
] as const) {
  onEveryKoa(`a later middleware that replaces the body by ${what} releases the subscription`, async (t, Koa) => {
    const { open, story, isEmpty } = await openEndpoint(
      t,
      {},
      {
        Koa,
        outer: [
          async (ctx, next) => {
            await next()
            ctx.body = body()
          },
        ],
      },
    )
    const answer = await open()
    t.is(answer.status, body() === null ? 204 : 200)
    t.notRegex(await answer.text(), /cursor/)
    await isEmpty()
    t.deepEqual(story, ['open', 'close replaced'])
  })
}
