import type { EventEmitter } from 'node:events'
import type { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import type { Middleware } from 'koa'
import type { Context } from 'koa'
import onFinished from 'on-finished'
import { raw } from '../support/http.ts'
import { openEndpoint, REQUEST } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'
import { onEveryTransport } from './every-transport.ts'

type Add = (heard: string[], ctx: Context) => void
const EVENTS = ['close', 'finish'] as const

/** Adds a listener for each end that a response has. */
function listen(heard: string[], emitter: EventEmitter, names: readonly string[] = EVENTS): void {
  for (const name of names) emitter.once(name, () => heard.push(name))
}

// The moments at which others add listeners between the end of the middleware and the first bytes.
const MOMENTS: Record<string, Add> = {
  'while the head is written': (heard, { res }) => {
    const { writeHead } = res
    res.writeHead = ((...args: Parameters<typeof writeHead>) => {
      listen(heard, res)
      return writeHead.apply(res, args)
    }) as typeof writeHead
  },
  'when somebody listens': (heard, { res }) => {
    let added = false
    res.once('pipe', () => res.once('drain', () => undefined))
    res.on('newListener', () => {
      if (added) return
      added = true
      listen(heard, res)
    })
  },
  'when the body is piped': (heard, { res }) => {
    res.once('pipe', () => listen(heard, res))
  },
  'in a microtask behind the body’s': (heard, { res }) => {
    res.once('pipe', () => queueMicrotask(() => queueMicrotask(() => listen(heard, res))))
  },
  'in a microtask before the body’s': (heard, ctx) => {
    const { res } = ctx
    void Promise.resolve().then(() => listen(heard, res))
  },
  'when Koa asks for the status': (heard, { res }) => {
    let status = res.statusCode
    let added = false
    Object.defineProperty(res, 'statusCode', {
      configurable: true,
      get: () => {
        if (!added) listen(heard, res)
        added = true
        return status
      },
      set: (value: number) => (status = value),
    })
  },
  'when Koa asks whether to respond': (heard, ctx) => {
    let added = false
    const own = Object.getOwnPropertyDescriptor(ctx, 'respond')
    Object.defineProperty(ctx, 'respond', {
      configurable: true,
      get() {
        if (!added) listen(heard, ctx.res)
        added = true
        return own?.get?.call(ctx) as unknown
      },
    })
  },
}

for (const [moment, add] of Object.entries(MOMENTS)) {
  for (const when of ['before', 'after'] as const) {
    onEveryKoa(
      `listeners that others add ${moment}, set up ${when} the stream’s, hear the end once`,
      async (t, Koa) => {
        const heard: string[] = []
        const adding: Middleware = async (ctx, next) => {
          if (when === 'before') add(heard, ctx)
          await next()
          if (when === 'after') add(heard, ctx)
        }
        const { open, hub, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [adding] })
        const stream = await open()
        await stream.next(({ event }) => event === 'cursor')
        await hub.publish('news', { data: 'x' })
        await stream.next(({ data }) => data === 'x')
        t.deepEqual(heard, [])
        await hub.disconnect({ identity: 'ann' })
        t.is(await stream.closed, 'end')
        await isEmpty()
        await turn()
        t.deepEqual(heard, ['finish', 'close'])
      },
    )
  }
}

for (const ending of ['leaves', 'is cut'] as const) {
  onEveryTransport(
    `middleware that wraps \`ctx.onerror\` at any time sees no error of a client that ${ending}`,
    async (t, start) => {
      const seen: unknown[] = []
      const contexts: Context[] = []
      const wrap = (ctx: Context) => {
        const { onerror } = ctx
        ctx.onerror = error => {
          // Koa calls it at the end of every response, with nothing to report.
          if ((error as unknown) !== null && (error as unknown) !== undefined) seen.push(error)
          onerror.call(ctx, error)
        }
      }
      const wrapping: Middleware = async (ctx, next) => {
        contexts.push(ctx)
        wrap(ctx)
        await next()
        wrap(ctx)
      }
      const { ask, hub, tells, isEmpty } = await start({ buffer: { bytes: 300_000 } }, { outer: [wrapping] })
      const client = await ask()
      if (ending === 'leaves') {
        const stream = client.read()
        await stream.next(({ event }) => event === 'cursor')
        stream.close()
        await tells('close client')
      } else {
        for (let n = 0; n < 500 && hub.stats().streams > 0; n += 1) {
          await hub.publish('news', { data: 'x'.repeat(100_000) })
          await turn()
        }
        await tells('close slow')
      }
      await isEmpty()
      await turn()
      t.deepEqual(seen.map(String), [])
      t.is(contexts.length, 1)
      client.leave()
    },
  )
}

onEveryKoa('middleware that wraps `ctx.onerror` sees no error of a connection that is reset', async (t, Koa) => {
  const seen: unknown[] = []
  const wrapping: Middleware = async (ctx, next) => {
    await next()
    const { onerror } = ctx
    ctx.onerror = error => {
      if ((error as unknown) !== null && (error as unknown) !== undefined) seen.push(error)
      onerror.call(ctx, error)
    }
  }
  const { port, tells, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [wrapping] })
  const client = await raw(port, REQUEST)
  await client.until('event: cursor')
  client.socket.resetAndDestroy()
  await tells('close client')
  await isEmpty()
  await turn()
  t.deepEqual(seen.map(String), [])
})

onEveryKoa('where on-finished keeps no watch on the response, streams work', async (t, Koa) => {
  const hiding: Middleware = async (ctx, next) => {
    await next()
    Object.defineProperty(ctx.res, '__onFinished', { configurable: true, get: () => undefined, set: () => undefined })
  }
  const { open, hub, tells } = await openEndpoint(t, {}, { Koa, outer: [hiding] })
  const stream = await open()
  await hub.publish('news', { data: 'x' })
  await stream.next(({ data }) => data === 'x')
  stream.close()
  await tells('close client')
  t.pass()
})

test('who waits for the end by on-finished, beside Koa, hears of it however it was set up', async t => {
  const heard: string[] = []
  const asking: Middleware = async (ctx, next) => {
    await next()
    ctx.res.once('pipe', () => onFinished(ctx.res, () => heard.push('finished')))
  }
  const { open, hub, isEmpty } = await openEndpoint(t, {}, { outer: [asking] })
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  await hub.disconnect({ identity: 'ann' })
  await stream.closed
  await isEmpty()
  t.deepEqual(heard, ['finished'])
})

onEveryKoa('a listener on the body is kept, and hears its end', async (t, Koa) => {
  const heard: string[] = []
  const adding: Middleware = async (ctx, next) => {
    await next()
    const body = ctx.body as Readable
    listen(heard, body, ['close'])
    ctx.res.once('pipe', () => listen(heard, body, ['end']))
  }
  const { open, hub, isEmpty } = await openEndpoint(t, {}, { Koa, outer: [adding] })
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  await hub.disconnect({ identity: 'ann' })
  t.is(await stream.closed, 'end')
  await isEmpty()
  t.deepEqual(heard.toSorted(), ['close', 'end'])
})
