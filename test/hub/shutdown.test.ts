import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { Agent, get, type IncomingMessage } from 'node:http'
import { connect, createServer as createNetServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { openStream, serve, serveHttp2 } from '../support/http.ts'

async function openHub(t: ExecutionContext) {
  const hub = createHub()
  const faults: string[] = []
  hub.on('fault', ({ during, error }) => faults.push(`${during}: ${String(error)}`))
  hub.on('refuse', () => undefined)
  const app = new Koa()
  app.use(async (ctx, next) => {
    if (ctx.path === '/stream') return next()
    if (ctx.path === '/hanging') await new Promise(() => {})
    ctx.body = 'ordinary'
  })
  app.use(eventStream({ hub, authenticate: false, subscribe: () => 'news' }))
  t.teardown(() => hub.close())
  return { hub, app, faults }
}

test('streams end, idle connections are closed, and the server and the hub with them', async t => {
  const { hub, app, faults } = await openHub(t)
  const { server, url } = await serve(app, t)
  const agent = new Agent({ keepAlive: true })
  const [answer] = (await once(get(`${url}/`, { agent }), 'response')) as [IncomingMessage]
  answer.resume()
  await once(answer, 'end')
  const stream = await openStream(`${url}/stream`)
  await stream.next()
  t.true(hub.ready)
  const closed = once(server, 'close')
  const shutting = hub.shutdown(server, { within: 60_000 })
  t.false(hub.ready)
  const again = hub.shutdown(server)
  await Promise.all([shutting, again, closed])
  t.is(await stream.closed, 'end')
  t.false(hub.ready)
  await t.throwsAsync(hub.publish('news', { data: 'late' }), { code: 'ERR_HUB_CLOSED' })
  t.is(hub.stats().closed.drain, 1)
  t.deepEqual(faults, [])
  agent.destroy()
})

test('a request that goes on is cut when the time is over', async t => {
  const { hub, app, faults } = await openHub(t)
  const { server, url } = await serve(app, t)
  const received = once(server, 'request')
  const request = get(`${url}/hanging`, { agent: false })
  const cut = once(request, 'error')
  await received
  await hub.shutdown(server, { within: 50 })
  await cut
  t.deepEqual(faults, [])
})

test('a server that cannot cut its connections is told of, and not waited for', async t => {
  const { hub, faults } = await openHub(t)
  const server = createNetServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(server, 'connection')
  await hub.shutdown(server, { within: 50 })
  t.deepEqual(faults, ['shutdown: Error: the server still has connections'])
  await t.throwsAsync(hub.publish('news', { data: 'late' }), { code: 'ERR_HUB_CLOSED' })
  client.destroy()
  await once(client, 'close')
})

test('an HTTP/2 server whose clients have left is closed', async t => {
  const { hub, app, faults } = await openHub(t)
  const { server, url } = await serveHttp2(app, t)
  const session = connectHttp2(url)
  await once(session, 'connect')
  session.close()
  await once(session, 'close')
  const closed = once(server, 'close')
  await hub.shutdown(server, { within: 60_000 })
  await closed
  t.deepEqual(faults, [])
})

test('a server that has not been listening, or throws, keeps the hub from nothing', async t => {
  const { hub, faults } = await openHub(t)
  await hub.shutdown(createNetServer())
  t.deepEqual(faults, [])
  const other = await openHub(t)
  await other.hub.shutdown({
    address: () => null,
    close: () => {
      throw new Error('no')
    },
  })
  t.deepEqual(other.faults, ['shutdown: Error: no'])
  t.false(other.hub.ready)
})

test('what is no server, or no duration, is a TypeError, and nothing ends', async t => {
  const { hub, app } = await openHub(t)
  for (const wrong of [undefined, null, 'x', {}, app, hub, () => undefined]) {
    await t.throwsAsync(hub.shutdown(wrong as never), { instanceOf: TypeError, message: /app\.listen\(\)/ })
  }
  await t.throwsAsync(hub.shutdown(createNetServer(), { within: -1 }), { instanceOf: TypeError, message: /`within`/ })
  t.true(hub.ready)
})

test('a drain and a close each make the hub unready', async t => {
  const [draining, closing] = [createHub(), createHub()]
  t.true(draining.ready && closing.ready)
  const ends = [draining.drain(), closing.close()]
  t.false(draining.ready || closing.ready)
  await Promise.all(ends)
  t.false(draining.ready || closing.ready)
  await draining.close()
})
