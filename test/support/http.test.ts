import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import test from 'ava'
import { openHttp2Stream, openStream, raw, serve, serveHttp2 } from './http.ts'
import { koaVersions } from './koa-versions.ts'

const WIRE = ': hello\nretry: 700\n\nevent: tick\nid: 1\ndata: é\n\ndata:\n\n'

test('events, comments and retry arrive in order, whole over any split of the bytes', async t => {
  const { url } = await serve((_, response) => {
    for (const byte of Buffer.from(WIRE)) response.write(Buffer.of(byte))
    response.end()
  }, t)
  const stream = await openStream(url)
  const seen = []
  for await (const thing of stream.events) seen.push(thing)
  t.deepEqual(seen, [
    { kind: 'comment', event: '', data: 'hello', id: undefined },
    { kind: 'retry', event: '', data: '700', id: undefined },
    { kind: 'event', event: 'tick', data: 'é', id: '1' },
    { kind: 'event', event: 'message', data: '', id: undefined },
  ])
  t.is(await stream.text(), WIRE)
  t.is(await stream.closed, 'end')
})

test('next waits for what has not come yet, and keeps what follows', async t => {
  let response: ServerResponse | undefined
  const { url } = await serve((_, outgoing) => {
    response = outgoing
    outgoing.write('data: a\n\n')
  }, t)
  const stream = await openStream(url)
  t.like(await stream.next(), { data: 'a' })
  const waiting = stream.next(thing => thing.event === 'c')
  response?.write('data: b\n\nevent: c\ndata: c\n\ndata: d\n\n')
  t.like(await waiting, { data: 'c' })
  t.like(await stream.next(), { data: 'd' })
})

test('next fails with what was received when the stream ends first, or is no event stream', async t => {
  const { url } = await serve((request, response) => {
    response.end(request.url === '/text' ? 'no such field\n' : 'data: a\n\n')
  }, t)
  const ended = await openStream(url)
  await t.throwsAsync(
    ended.next(thing => thing.event === 'b'),
    { message: /ended before.*data: a/ },
  )
  const text = await openStream(`${url}/text`)
  await t.throwsAsync(text.next(), { message: /no such field/ })
})

test('a connection that breaks off is told from a response that ends', async t => {
  const { url } = await serve((_, response) => {
    response.write('data: a\n\n', () => response.destroy())
  }, t)
  const stream = await openStream(url)
  t.is(await stream.closed, 'cut')
  t.like(await stream.next(), { data: 'a' })
})

test('the server sees a client leave, over HTTP/1.1 and HTTP/2', async t => {
  const left: string[] = []
  const one = await serve((request, response) => {
    response.once('close', () => left.push(request.httpVersion))
    response.write(WIRE)
  }, t)
  const two = await serveHttp2((request, response) => {
    response.once('close', () => left.push(request.httpVersion))
    response.write(WIRE)
  }, t)
  for (const stream of [await openStream(one.url), await openHttp2Stream(two.url)]) {
    t.like(await stream.next(thing => thing.event === 'tick'), { data: 'é', id: '1' })
    stream.close()
    t.is(await stream.closed, 'cut')
  }
  await Promise.all([one.close(), two.close()])
  t.deepEqual(left.sort(), ['1.1', '2.0'])
})

for (const [name, Koa] of koaVersions) {
  test(`${name} is served, with a method, headers and a body`, async t => {
    const app = new Koa()
    app.use(async ctx => {
      const chunks = []
      for await (const chunk of ctx.req) chunks.push(chunk)
      ctx.status = 418
      ctx.body = `${ctx.method} ${ctx.get('accept')} ${ctx.get('x-test')} ${Buffer.concat(chunks).toString()}`
    })
    const { url } = await serve(app, t)
    const stream = await openStream(url, { method: 'POST', headers: { 'x-test': 'yes' }, body: 'body' })
    t.is(stream.status, 418)
    t.is(await stream.text(), 'POST text/event-stream yes body')
  })
}

test('an aborted signal leaves before the response and after it', async t => {
  const { url, server } = await serve((request, response) => {
    if (request.url === '/now') response.write(WIRE)
  }, t)
  const early = new AbortController()
  const pending = openStream(url, { signal: early.signal })
  await once(server, 'request')
  early.abort()
  await t.throwsAsync(pending, { name: 'AbortError' })

  const late = new AbortController()
  const stream = await openStream(`${url}/now`, { signal: late.signal })
  late.abort()
  t.is(await stream.closed, 'cut')
})

test('a bare socket sends in stages and returns every byte', async t => {
  const { port } = await serve((request, response) => response.end(request.url), t)
  const client = await raw(port, 'GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHo')
  await client.until('/a')
  client.write('st: x\r\nConnection: close\r\n\r\n')
  t.regex(await client.ended(), /^HTTP\/1\.1 200 OK[^]*\/a[^]*HTTP\/1\.1 200 OK[^]*\/b$/)
  await t.throwsAsync(client.until('/c'), { message: /Closed before \/c came/ })
})
