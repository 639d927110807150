import { text } from 'node:stream/consumers'
import { once } from 'node:events'
import { connect, type ClientHttp2Session } from 'node:http2'
import { Agent, request as httpsRequest } from 'node:https'
import type { IncomingMessage } from 'node:http'
import test from 'ava'
import type { Middleware } from 'koa'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { serveTls } from '../support/http.ts'
import { ReceivedStream } from '../support/received-stream.ts'
import { openEndpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

// What HTTP/2 forbids (RFC 9113, section 8.2.2).
const FORBIDDEN = ['connection', 'keep-alive', 'transfer-encoding', 'proxy-connection', 'upgrade']

async function ask(session: ClientHttp2Session, headers: Record<string, string> = {}): Promise<ReceivedStream> {
  const stream = session.request({ 'x-user': 'ann', ...headers })
  const [incoming] = (await once(stream, 'response')) as [Record<string, string> & { ':status': number }]
  return new ReceivedStream(incoming[':status'], incoming, stream, () => stream.close(8))
}

onEveryKoa('over cleartext HTTP/2 a stream has no forbidden header, carries events, and ends whole', async (t, Koa) => {
  const { hub, open, story } = await openEndpoint(t, {}, { Koa, http2: true })
  const stream = await open()
  t.is(stream.status, 200)
  t.is(stream.headers['content-type'], 'text/event-stream; charset=utf-8')
  for (const name of FORBIDDEN) t.false(name in stream.headers, name)
  await stream.next()
  const id = await hub.publish('news', { event: 'tick', data: { é: 1 } })
  t.like(await stream.next(), { event: 'tick', data: '{"é":1}', id })
  await hub.disconnect({ identity: 'ann' })
  t.is(await stream.closed, 'end')
  t.deepEqual(story, ['open', 'close server'])
})

onEveryKoa('many streams live on one connection, and each that is cancelled frees its place', async (t, Koa) => {
  const { hub, url, isEmpty } = await openEndpoint(
    t,
    { overload: 'reject', limits: { identity: 3 } },
    { Koa, http2: true },
  )
  const session = connect(url)
  const streams = await Promise.all([ask(session), ask(session), ask(session)])
  t.is((await ask(session)).status, 429)
  for (const stream of streams) await stream.next()
  await hub.publish('news', { data: 'to all' })
  for (const stream of streams) t.like(await stream.next(), { data: 'to all' })
  streams[0].close()
  await eventually(
    () => hub.stats().streams === 2,
    () => 'The place is not free',
  )
  const fourth = await ask(session)
  t.is(fourth.status, 200)
  await fourth.next()
  session.destroy()
  await isEmpty()
  t.is(hub.stats().closed.client, 4)
  t.is(hub.stats().refused.pipelined, 0)
})

test('refusals and 204 work over HTTP/2', async t => {
  const { url } = await openEndpoint(
    t,
    { subscribe: (stream, ctx) => (stream.identity.id === 'ann' ? null : ctx.throw(403)) },
    { http2: true, expectsErrors: true },
  )
  const session = connect(url)
  t.is((await ask(session)).status, 204)
  t.is((await ask(session, { 'x-user': '' })).headers['www-authenticate'], 'Name realm="events"')
  t.is((await ask(session, { accept: 'text/html' })).status, 406)
  t.is((await ask(session, { 'x-user': 'ben' })).status, 403)
  session.close()
})

test('a drain ends the streams of a connection, and the connection behind its other requests', async t => {
  const waiting = new Deferred<void>()
  const slow: Middleware = async (ctx, next) => {
    if (ctx.path !== '/slow') return next()
    await waiting.promise
    ctx.body = 'an ordinary page'
  }
  const { hub, url, story } = await openEndpoint(t, {}, { http2: true, outer: [slow] })
  const session = connect(url)
  const stream = await ask(session)
  await stream.next()
  const page = session.request({ ':path': '/slow' })
  await hub.drain()
  t.is(await stream.closed, 'end')
  waiting.resolve()
  t.is(await text(page), 'an ordinary page')
  await once(session, 'close')
  const another = connect(url)
  t.regex(await (await ask(another)).text(), /^retry: \d+\nevent: goaway\ndata: {"reason":"drain"}\n\n$/)
  t.deepEqual(story, ['open', 'close drain', 'refuse draining 200'])
  await once(another, 'close')
})

onEveryKoa('over TLS a stream works for clients of HTTP/2 and of HTTP/1.1', async (t, Koa) => {
  const { app, hub, tells } = await openEndpoint(t, {}, { Koa })
  const { url, ca } = await serveTls(app, t)
  const session = connect(url, { ca })
  const second = await ask(session)
  const outgoing = httpsRequest(url, { ca, headers: { 'x-user': 'ben' }, agent: new Agent() }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const first = new ReceivedStream(incoming.statusCode ?? 0, incoming.headers, incoming, () => outgoing.destroy())
  t.is(session.alpnProtocol, 'h2')
  t.is(incoming.httpVersion, '1.1')

  for (const stream of [second, first]) await stream.next()
  await hub.publish('news', { data: 'x'.repeat(100_000) })
  for (const stream of [second, first]) t.is((await stream.next()).data.length, 100_000)
  first.close()
  await tells('close client')
  session.close()
  await hub.disconnect({ identity: 'ann' })
  t.is(await second.closed, 'end')
})
