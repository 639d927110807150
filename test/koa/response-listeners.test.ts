import { pipeline, type Readable } from 'node:stream'
import type { Context, Middleware, Next } from 'koa'
import onFinished from 'on-finished'
import { Deferred } from '../support/deferred.ts'
import { openEndpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

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
  t.is(heard.pop(), 'close')
  t.deepEqual(heard.toSorted(), ['end', 'finish'])
})

onEveryKoa('a listener that takes the place of another one while the body is piped stays', async (t, Koa) => {
  const heard: string[] = []
  const swapping: Middleware = async ({ res }, next) => {
    const first = () => heard.push('first')
    res.on('close', first)
    res.once('pipe', () => {
      res.off('close', first)
      res.on('close', () => heard.push('second'))
    })
    await next()
  }
  const { hub, open, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [swapping] })
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  await hub.disconnect({ identity: 'ann' })
  t.is(await stream.closed, 'end')
  await isEmpty()
  t.deepEqual(heard, ['second'])
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
