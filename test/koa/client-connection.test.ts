// Clients that disconnect: the tests share an endpoint that holds a request at a stage, over HTTP/1.1 and HTTP/2.
import { connect, constants } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { PassThrough, Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import type Koa from 'koa'
import type { Context, Middleware } from 'koa'
import Koa2 from 'koa-2'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { raw } from '../support/http.ts'
import { byName, openEndpoint, REQUEST, type Endpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

/** Puts a stream of bytes between the event stream and the response, as a compressor does. */
const pipedThrough: Middleware = async (ctx, next) => {
  await next()
  ctx.body = (ctx.body as Readable).pipe(new PassThrough())
}

const STAGES = ['arriving', 'authenticating', 'resolving', 'responding', 'streaming'] as const
type Stage = (typeof STAGES)[number]

interface HeldUp extends Endpoint {
  /** The request has come to the stage. */
  readonly reached: Promise<void>
  /** The server knows that the client is gone. */
  readonly left: Promise<void>
  goOn(): void
}

/** An endpoint that holds its request up at a stage until it is told to go on. */
async function holdUp(
  t: Parameters<typeof openEndpoint>[0],
  version: typeof Koa,
  stage: Stage,
  http2 = false,
): Promise<HeldUp> {
  const [reached, left, going] = [new Deferred<void>(), new Deferred<void>(), new Deferred<void>()]
  const at = async (here: Stage): Promise<void> => {
    if (here !== stage) return
    reached.resolve()
    await going.promise
  }
  const endpoint = await openEndpoint(
    t,
    {
      authenticate: {
        ...byName,
        authenticate: async ctx => {
          await at('authenticating')
          return byName.authenticate(ctx)
        },
      },
      subscribe: async () => {
        await at('resolving')
        return 'news'
      },
    },
    {
      Koa: version,
      http2,
      // A reset before the stream's middleware is called is between Koa and the application.
      expectsErrors: stage === 'arriving',
      outer: [
        async (ctx, next) => {
          ctx.res.once('close', left.resolve)
          await at('arriving')
          await next()
          await at('responding')
        },
      ],
    },
  )
  if (stage === 'streaming') endpoint.hub.once('open', () => setImmediate(reached.resolve))
  return { ...endpoint, reached: reached.promise, left: left.promise, goOn: going.resolve }
}

for (const stage of STAGES) {
  // That no error reaches the application is what the endpoint itself looks after, and that nothing is left.
  for (const [how, leave] of [
    ['leaves', 'destroy'],
    ['resets its connection', 'resetAndDestroy'],
  ] as const) {
    onEveryKoa(`a client that ${how} while ${stage} is no error`, async (t, Koa) => {
      const { port, reached, left, goOn, isEmpty, story } = await holdUp(t, Koa, stage)
      const client = await raw(port, REQUEST)
      await reached
      client.socket[leave]()
      await left
      goOn()
      await turn()
      await isEmpty()
      t.deepEqual(story, stage === 'responding' || stage === 'streaming' ? ['open', 'close client'] : [])
    })
  }

  for (const [how, code] of [
    ['cancels', constants.NGHTTP2_CANCEL],
    ['resets', constants.NGHTTP2_INTERNAL_ERROR],
    ['closes without an error', constants.NGHTTP2_NO_ERROR],
  ] as const) {
    onEveryKoa(`a client of HTTP/2 that ${how} its stream while ${stage} is no error`, async (t, Koa) => {
      const { url, reached, left, goOn, isEmpty, story, close } = await holdUp(t, Koa, stage, true)
      const session = connect(url)
      const request = session.request({ 'x-user': 'ann' })
      request.on('error', () => {})
      await reached
      request.close(code)
      await left
      goOn()
      await turn()
      await isEmpty()
      t.deepEqual(story, stage === 'responding' || stage === 'streaming' ? ['open', 'close client'] : [])
      session.destroy()
      await close()
    })
  }

  onEveryKoa(`a client of HTTP/2 whose connection breaks while ${stage} is no error`, async (t, Koa) => {
    const { url, port, reached, left, goOn, isEmpty } = await holdUp(t, Koa, stage, true)
    const socket = connectTcp(port, '127.0.0.1')
    const session = connect(url, { createConnection: () => socket })
    session.on('error', () => {})
    const request = session.request({ 'x-user': 'ann' })
    request.on('error', () => {})
    await reached
    socket.resetAndDestroy()
    await left
    goOn()
    await turn()
    await isEmpty()
    t.pass()
  })
}

for (const [how, outer] of [
  ['', []],
  [' behind something else', [pipedThrough]],
] as const) {
  onEveryKoa(`a client that sends rubbish is cut, and that is no error${how}`, async (t, Koa) => {
    const { port, tells, isEmpty } = await openEndpoint(t, {}, { Koa, outer })
    const client = await raw(port, REQUEST)
    await client.until('event: cursor')
    client.write('rubbish\r\n\r\n')
    await client.ended()
    await tells('close client')
    await isEmpty()
    t.pass()
  })

  onEveryKoa(`a client that has vanished is no error${how}`, async (t, Koa) => {
    const { open, tells, socket } = await openWithSocket(t, { Koa, outer })
    const stream = await open()
    await stream.next(({ event }) => event === 'cursor')
    // What the kernel says when probes have not been answered.
    socket()?.destroy(Object.assign(new Error('read ETIMEDOUT'), { code: 'ETIMEDOUT' }))
    await tells('close client')
    t.is(await stream.closed, 'cut')
  })

  onEveryKoa(`another error of the connection reaches the application, once${how}`, async (t, Koa) => {
    const { open, errors, isEmpty, socket } = await openWithSocket(t, { Koa, outer, expectsErrors: true })
    const stream = await open()
    await stream.next(({ event }) => event === 'cursor')
    socket()?.destroy(new Error('by the application'))
    t.is(await stream.closed, 'cut')
    await isEmpty()
    t.deepEqual(errors.map(String), ['Error: by the application'])
  })
}

/** An endpoint that hands the server's side of the last request's connection to the test. */
async function openWithSocket(t: Parameters<typeof openEndpoint>[0], setup: Parameters<typeof openEndpoint>[2]) {
  let socket: Socket | undefined
  const subscribe = (_: unknown, ctx: Context) => {
    socket = ctx.socket
    return 'news'
  }
  return { ...(await openEndpoint(t, { subscribe }, setup)), socket: () => socket }
}

onEveryKoa('an error of what the stream is piped through reaches the application, once', async (t, Koa) => {
  const failing: Middleware = async (ctx, next) => {
    await next()
    const broken = new Transform({
      transform: (_chunk, _encoding, done) => {
        done(new Error('the compressor broke'))
      },
    })
    broken.write('never read')
    ctx.body = (ctx.body as Readable).pipe(broken)
  }
  const { open, errors, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [failing], expectsErrors: true })
  const leaving = new AbortController()
  const answer = open({ signal: leaving.signal }).catch(() => undefined)
  await eventually(
    () => errors.length > 0,
    () => 'the application was told nothing',
  )
  // Koa 2 leaves the response open.
  leaving.abort()
  await answer
  await isEmpty()
  t.deepEqual(errors.map(String), ['Error: the compressor broke'])
})

onEveryKoa('a client that leaves while its request is being read is no error', async (t, Koa) => {
  const reading = new Deferred<void>()
  const subscribe = async (_: unknown, { req }: Context) => {
    reading.resolve()
    await buffer(req)
    return 'news'
  }
  const { port, isEmpty, story } = await openEndpoint(t, { subscribe }, { Koa })
  const client = await raw(
    port,
    REQUEST.replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 10\r\n\r\n123'),
  )
  await reading.promise
  client.socket.destroy()
  await isEmpty()
  t.deepEqual(story, ['refuse resolver 500'])
})

test('a client that leaves while much is on its way to it is no error', async t => {
  const { port, hub, tells } = await openEndpoint(t, { buffer: { bytes: 100_000_000 } })
  const client = await raw(port, REQUEST)
  await client.until('event: cursor')
  client.pause()
  for (let i = 0; i < 40; i += 1) await hub.publish('news', { data: 'x'.repeat(250_000) })
  client.socket.resetAndDestroy()
  await tells('close client')
  t.is(hub.stats().closed.client, 1)
})

onEveryKoa(
  'an error of the outer middleware after the hand-off reaches the application, and lets go of the stream',
  async (t, Koa) => {
    const { open, errors, isEmpty, story } = await openEndpoint(
      t,
      {},
      {
        Koa,
        expectsErrors: true,
        outer: [
          async (_, next) => {
            await next()
            throw new Error('after the hand-off')
          },
        ],
      },
    )
    const answer = await open()
    t.is(answer.status, 500)
    t.is(await answer.text(), 'Internal Server Error')
    await isEmpty()
    t.deepEqual(errors.map(String), ['Error: after the hand-off'])
    t.deepEqual(story, ['open', 'close replaced'])
  },
)

onEveryKoa(
  'a stream that is destroyed with an error cuts its client off, and the error reaches the application',
  async (t, Koa) => {
    const { open, errors, tells } = await openEndpoint(
      t,
      {
        subscribe: stream => {
          stream.write('data: before\n\n')
          setImmediate(() => stream.destroy(new Error('after the headers')))
        },
      },
      { Koa, expectsErrors: true },
    )
    const stream = await open()
    t.is(await stream.closed, 'cut')
    await tells('close error')
    t.deepEqual([...new Set(errors.map(String))], ['Error: after the headers'])
  },
)

onEveryKoa('a pipeline that is given the signal ends with its stream, and that is no error', async (t, Koa) => {
  const finished = new Deferred<void>()
  async function* endless() {
    try {
      for (;;) {
        yield 'data: more\n\n'
        await turn()
      }
    } finally {
      finished.resolve()
    }
  }
  const { open, hub, isEmpty, story } = await openEndpoint(
    t,
    {
      subscribe: stream => {
        pipeline(endless, stream, { signal: stream.signal }).catch(() => {})
      },
    },
    { Koa },
  )
  const stream = await open()
  t.like(await stream.next(), { data: 'more' })
  await hub.disconnect({ identity: 'ann' })
  await finished.promise
  await stream.closed
  await isEmpty()
  t.deepEqual(story, ['open', 'close server'])
})

test('a listener of the hub that throws harms no stream, and is told of as a fault', async t => {
  const { hub, open, story, causes } = await openEndpoint(t)
  const thrown = new Error('a listener broke')
  hub.prependListener('open', () => {
    throw thrown
  })
  const stream = await open()
  t.is((await stream.next()).event, 'cursor')
  t.deepEqual(story, ['fault listener of `open`', 'open'])
  t.deepEqual(causes, [thrown])
})

onEveryKoa('a stream that is destroyed with an error before it began is an error of the resolver', async (t, Koa) => {
  const { open, errors, story, isEmpty } = await openEndpoint(
    t,
    {
      subscribe: async stream => {
        stream.destroy(new Error('before the headers'))
        await turn()
        return 'news'
      },
    },
    { Koa, expectsErrors: true },
  )
  const answer = await open()
  t.is(answer.status, 500)
  t.is(await answer.text(), 'Internal Server Error')
  await isEmpty()
  t.deepEqual(errors.map(String), ['Error: before the headers'])
  t.deepEqual(story, ['refuse resolver 500'])
})

onEveryKoa(
  'a stream that fails while Koa has not responded yet ends with an error, not the process',
  async (t, Koa) => {
    const { open, errors, story, isEmpty } = await openEndpoint(
      t,
      { subscribe: stream => void setImmediate(() => stream.destroy(new Error('between the two'))) },
      {
        Koa,
        expectsErrors: true,
        outer: [
          async (ctx, next) => {
            await next()
            await new Promise(resolve => (ctx.body as Readable).once('close', resolve))
          },
        ],
      },
    )
    const answer = await open().catch(() => undefined)
    const seen = answer === undefined ? undefined : [answer.status, await answer.closed]
    // Koa 2 answers with an error page. Koa 3 has its pipeline destroy the response: what was written in the same turn is
    // out by then, except on Node 26, which collects it first.
    if (Koa === Koa2) t.deepEqual(seen, [500, 'end'])
    else t.deepEqual(seen, Number(process.versions.node.split('.')[0]) < 26 ? [200, 'cut'] : undefined)
    await isEmpty()
    t.deepEqual(errors.map(String), ['Error: between the two'])
    t.deepEqual(story, ['open', 'close error'])
  },
)
