import { Readable } from 'node:stream'
import Router from '@koa/router'
import { Redis } from 'ioredis'
import Koa, { type Context } from 'koa'
import { createHub, createIdentity, type Authenticator, type EventInput } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { relay } from 'koa-event-stream/relay'
import { createResumableStreamContext } from 'resumable-stream/ioredis'
import type { Tokens } from './tokens.ts'

/** More than there are readers. */
const MOST = 100_000

/** Adds routes to start an answer (POST) and to read it (GET), on Redis. Resolves once they work. */
type Mount = (router: Router, redis: string, tokens: Tokens) => Promise<void>

/** What is compared, by the name that the table gives it. */
export const contenders = {
  'this library': mountRelay(undefined),
  'this library, `linger: 0`': mountRelay(0),
  'resumable-stream': mountResumable,
} satisfies Record<string, Mount>

export type ContenderName = keyof typeof contenders

const anybody: Authenticator = {
  scheme: 'none',
  challenge: 'None',
  ambient: false,
  authenticate: () => createIdentity({ id: 'reader', scheme: 'none' }),
}

function mountRelay(linger: number | undefined): Mount {
  return async (router, redis, tokens) => {
    const hub = createHub({ broker: redisBroker({ client: redis }) })
    hub.on('fault', fault => console.error('fault', fault))
    hub.on('refuse', refusal => console.error('refuse', refusal))
    const { start, follow } = relay({ hub, ...(linger !== undefined && { linger }) })
    const common = { authenticate: anybody, limits: { identity: MOST } }
    const id = (ctx: Context) => String(ctx.params.id)
    router.post('/answers/:id', start({ ...common, id, run: () => eventsOf(tokens) }))
    router.get('/answers/:id', follow({ ...common, may: () => true }))
    if (!hub.ready) await new Promise<void>(resolve => hub.once('ready', resolve))
  }
}

async function* eventsOf(tokens: Tokens): AsyncGenerator<EventInput> {
  for await (const data of tokens) yield { event: 'token', data }
}

// As its README has it, with responses that begin before the first token does.
async function mountResumable(router: Router, url: string, tokens: Tokens): Promise<void> {
  const context = createResumableStreamContext({
    waitUntil: null,
    publisher: new Redis(url),
    subscriber: new Redis(url),
  })
  const answer = (ctx: Context, stream: ReadableStream<string> | null | undefined): void => {
    if (!stream) ctx.throw(422)
    ctx.respond = false
    ctx.res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
    ctx.res.write(':\n\n')
    Readable.fromWeb(stream as Parameters<typeof Readable.fromWeb>[0]).pipe(ctx.res)
  }
  router.post('/answers/:id', async ctx => {
    answer(ctx, await context.createNewResumableStream(String(ctx.params.id), () => textOf(tokens)))
  })
  router.get('/answers/:id', async ctx => {
    answer(ctx, await context.resumeExistingStream(String(ctx.params.id)))
  })
}

function textOf(tokens: Tokens): ReadableStream<string> {
  const iterator = tokens[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { value } = (await iterator.next()) as { value: string }
      controller.enqueue(`event: token\ndata: ${value}\n\n`)
    },
  })
}

/** An application with the routes of a contender. */
export async function createApplication(name: ContenderName, redis: string, tokens: Tokens): Promise<Koa> {
  const router = new Router()
  await contenders[name](router, redis, tokens)
  const app = new Koa()
  app.use(router.routes())
  return app
}
