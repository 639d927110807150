import { once } from 'node:events'
import { PassThrough, Readable, Transform } from 'node:stream'
import type { Middleware } from 'koa'
import { openEndpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

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

onEveryKoa('a source behind something else goes on after an event over the buffer’s mark', async (t, Koa) => {
  const subscribe = async function* () {
    for (let n = 0; n < 3; n += 1) yield { data: `${n}`.padEnd(20_000, '.') }
  }
  const { open } = await openEndpoint(t, { subscribe }, { Koa, outer: [through(() => new PassThrough())] })
  const stream = await open()
  t.is(await stream.closed, 'end')
  t.is(stream.received.filter(({ event }) => event === 'message').length, 3)
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
