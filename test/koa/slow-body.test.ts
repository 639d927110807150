import { request } from 'node:http'
import { connect } from 'node:http2'
import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import {
  createHub,
  createIdentity,
  memoryBroker,
  publishRoute,
  subscriptionRoute,
  type Authenticator,
} from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { serve, serveHttp2 } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

/** A request whose body comes as slowly as the test sends it. */
interface Slow {
  write(text: string): void
  end(text: string): void
  readonly status: Promise<number | undefined>
}

type Open = (path: string) => Slow
type Transport = (t: ExecutionContext, app: Koa) => Promise<Open>

const overHttp1: Transport = async (t, app) => {
  const { url } = await serve(app, t)
  return path => {
    const status = new Deferred<number | undefined>()
    const asking = request(url + path, { method: 'POST', headers: JSON_TYPE }, response => {
      status.resolve(response.statusCode)
      response.resume()
    })
    asking.on('error', status.reject)
    return { write: text => asking.write(text), end: text => asking.end(text), status: status.promise }
  }
}

const overHttp2: Transport = async (t, app) => {
  const { url } = await serveHttp2(app, t)
  const session = connect(url)
  t.teardown(() => session.destroy())
  return path => {
    const status = new Deferred<number | undefined>()
    const asking = session.request({ ':method': 'POST', ':path': path, ...JSON_TYPE })
    asking.on('response', headers => status.resolve(headers[':status']))
    asking.on('error', status.reject)
    asking.resume()
    return { write: text => asking.write(text), end: text => asking.end(text), status: status.promise }
  }
}

async function openSite(t: ExecutionContext, transport: Transport) {
  const clock = new ManualClock()
  const broker = memoryBroker({ clock })
  const hub = createHub({ broker, clock })
  t.teardown(() => hub.close())
  hub.on('refuse', () => undefined)
  let admitted = 0
  const authenticate: Authenticator = {
    scheme: 'key',
    challenge: 'Key realm="events"',
    ambient: false,
    authenticate: () => createIdentity({ id: 'ann', scheme: 'key', token: 'one', expiresAt: Date.UTC(2026, 0, 2) }),
    resume: () => {
      admitted += 1
    },
  }
  let asked = 0
  const may = () => {
    asked += 1
    return true
  }
  const publish = publishRoute({ hub, authenticate, may })
  const change = subscriptionRoute({ hub, authenticate, may })
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  app.use((ctx, next) => (ctx.path === '/publish' ? publish(ctx, next) : change(ctx, next)))
  const open = await transport(t, app)
  return {
    hub,
    clock,
    broker,
    open,
    /** How often `may` was asked. */
    asked: () => asked,
    /** Resolves once so many have been let in, and their bodies are waited for. */
    admitted: (count: number) =>
      eventually(
        () => admitted >= count,
        () => `${String(admitted)} have been let in`,
      ),
  }
}

const BODIES = {
  '/publish': ['{"topics":"a",', '"data":1}'],
  '/subscriptions': ['{"stream":"none",', '"subscribe":["a"]}'],
} as const

for (const [name, transport] of Object.entries({ 'HTTP/1.1': overHttp1, 'HTTP/2': overHttp2 })) {
  for (const [path, [first, rest]] of Object.entries(BODIES)) {
    for (const [ending, end] of Object.entries({
      'is logged out': ({ hub }) => hub.disconnect({ identity: 'ann' }, 'logout'),
      'has his token revoked': ({ hub }) => hub.revoke('one', Date.UTC(2030, 0, 1)),
      'has a login that ends': ({ clock }) => clock.set(Date.UTC(2026, 0, 3)),
    } satisfies Record<string, (site: Awaited<ReturnType<typeof openSite>>) => unknown>)) {
      test(`${name} ${path}: who ${ending} while his body comes has done nothing`, async t => {
        const site = await openSite(t, transport)
        const slow = site.open(path)
        slow.write(first)
        await site.admitted(1)
        await end(site)
        slow.end(rest)
        t.is(await slow.status, 401)
        t.is(site.broker.read('a', 0, 1).events.length, 0)
      })
    }

    test(`${name} ${path}: a body that does not come to its end is not waited for, and one that is slow is taken`, async t => {
      const site = await openSite(t, transport)
      const [never, slow] = [site.open(path), site.open(path)]
      never.write(first)
      slow.write(first)
      await site.admitted(2)
      site.clock.advance(59_000)
      slow.end(rest)
      t.is(await slow.status, path === '/publish' ? 200 : 404)
      site.clock.advance(2_000)
      t.is(await never.status, 408)
      t.is(site.asked(), 1)
    })
  }
}
