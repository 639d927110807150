import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import jwt from 'jsonwebtoken'
import Koa from 'koa'
import { createSession } from 'koa-session'
import { bearerToken, createHub, eventStream, sessionCookie } from 'koa-event-stream'

const SECRET = 'a secret of this benchmark, and of nothing else'
const HEADERS = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' }

/** A server to compare: what answers requests, and the headers that a client of its sends. */
export interface Contender {
  readonly listener: RequestListener
  readonly headers: Readonly<Record<string, string>>
}

/** Servers that hold streams open, by name. Limits are out of the way, since all clients come from one address. */
export const contenders: Readonly<Record<string, () => Contender>> = {
  'node:http': () => {
    const open = new Set<ServerResponse>()
    return {
      headers: {},
      listener: (_, response) => {
        response.writeHead(200, HEADERS).write(': hello\n\n')
        open.add(response)
        response.once('close', () => open.delete(response))
      },
    }
  },

  'Koa, PassThrough by hand': () => {
    const app = new Koa()
    // Koa reports each client that leaves as an error.
    app.silent = true
    const open = new Set<PassThrough>()
    app.use(ctx => {
      const body = new PassThrough()
      ctx.set(HEADERS)
      ctx.body = body
      body.write(': hello\n\n')
      open.add(body)
      body.once('close', () => open.delete(body))
    })
    return { headers: {}, listener: app.callback() }
  },

  'this library, public': () => {
    const app = new Koa()
    app.use(eventStream({ hub: createHub(), authenticate: false, limits: LIMITS, subscribe: () => 'news' }))
    return { headers: {}, listener: app.callback() }
  },

  'this library, session cookie': () => {
    const app = new Koa()
    const sessions = new Map([['key', { userId: 'ada', _expire: Date.now() + 3_600_000, _maxAge: 3_600_000 }]])
    const store = {
      get: (key: string) => Promise.resolve(sessions.get(key)),
      set: () => Promise.resolve(),
      destroy: () => Promise.resolve(),
    }
    app.use(createSession({ store, signed: false, key: 'session' }, app))
    const authenticate = sessionCookie({
      identify: (session: { userId?: string }) => session.userId && { id: session.userId },
    })
    app.use(eventStream({ hub: createHub(), authenticate, limits: LIMITS, subscribe: topicsOf }))
    return { headers: { Cookie: 'session=key' }, listener: app.callback() }
  },

  'this library, bearer token': () => {
    const app = new Koa()
    const authenticate = bearerToken({ key: SECRET, algorithms: ['HS256'], issuer: 'bench', audience: 'bench' })
    app.use(eventStream({ hub: createHub(), authenticate, limits: LIMITS, subscribe: topicsOf }))
    const token = jwt.sign({}, SECRET, { subject: 'ada', issuer: 'bench', audience: 'bench', expiresIn: '1h' })
    return { headers: { Authorization: `Bearer ${token}` }, listener: app.callback() }
  },
}

const LIMITS = { identity: 1_000_000, address: 1_000_000, process: 1_000_000 }

function topicsOf({ identity }: { readonly identity: { readonly id: string } }): string[] {
  return ['news', `user:${identity.id}`]
}

/** Serves the contender named by the first argument, and tells the parent about its port and memory. */
function main(name: string): void {
  const contender = contenders[name]
  if (contender === undefined) throw new TypeError(`no contender is called ${name}`)
  const { listener, headers } = contender()
  const server = createServer(listener)
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ port: (server.address() as { port: number }).port, headers })
  })
  process.on('message', () => {
    globalThis.gc?.()
    globalThis.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    process.send?.({ rss, heapUsed, cpu: process.cpuUsage() })
  })
  process.once('disconnect', () => process.exit())
}

if (process.send !== undefined && process.argv[2] !== undefined) main(process.argv[2])
