import test from 'ava'
import type { Authenticator } from 'koa-event-stream'
import { raw } from '../support/http.ts'
import { byName, openEndpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

const CURSOR = /^retry: \d+\nid: [0-9A-Za-z._~-]+\nevent: cursor\ndata: {"stream":"[\w-]+","heartbeat":25000}\n\n$/

onEveryKoa('a stream opens with its headers, a retry and its cursor, though nothing is published', async (t, Koa) => {
  const { open } = await openEndpoint(t, {}, { Koa })
  const stream = await open()
  await stream.next()
  t.is(stream.status, 200)
  const { date, ...headers } = stream.headers
  t.deepEqual(headers, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
    connection: 'keep-alive',
    'keep-alive': 'timeout=5',
    'transfer-encoding': 'chunked',
  })
  stream.close()
  await stream.closed
  t.regex(await stream.text(), CURSOR)
})

onEveryKoa('HEAD tells of a limit, and of a source that was read to its end, as a GET would', async (t, Koa) => {
  const { open } = await openEndpoint(t, { limits: { identity: 1 }, overload: 'reject' }, { Koa })
  t.is((await open({ method: 'HEAD', headers: { 'last-event-id': '~done' } })).status, 204)
  t.is((await open({ headers: { 'last-event-id': '~done' } })).status, 204)
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  t.is((await open({ method: 'HEAD' })).status, 429)
  t.is((await open()).status, 429)
  stream.close()
})

onEveryKoa('HEAD gets the status and headers of a GET, without a place or a word to the resolver', async (t, Koa) => {
  const asked = (): never => t.fail()
  const { open, hub, story } = await openEndpoint(
    t,
    { subscribe: asked, authenticate: { ...byName, redeem: asked }, limits: { identity: 1 } },
    { Koa },
  )
  const stranger = await open({ method: 'HEAD', headers: { 'x-user': '' } })
  t.is(stranger.status, 401)
  t.is(stranger.headers['www-authenticate'], 'Name realm="events"')
  t.is(await stranger.text(), '')
  t.is((await open({ method: 'HEAD', headers: { accept: 'text/html' } })).status, 406)
  const answer = await open({ method: 'HEAD' })
  t.is(answer.status, 200)
  t.like(answer.headers, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
  t.is(await answer.text(), '')
  t.is(hub.stats().opened, 0)
  t.deepEqual(story, ['refuse unauthenticated 401', 'refuse not-acceptable 406'])
})

test('whoever accepts no event stream gets 406, and whoever accepts one among others gets it', async t => {
  const { open, story } = await openEndpoint(t)
  for (const accept of ['text/html', 'application/json', 'text/event-stream;q=0', 'text/*;q=0, */*;q=0']) {
    t.is((await open({ headers: { accept } })).status, 406, accept)
  }
  t.deepEqual(new Set(story), new Set(['refuse not-acceptable 406']))
  for (const accept of ['text/event-stream', 'text/*', '*/*', 'text/html, */*;q=0.1', '']) {
    const stream = await open({ headers: { accept } })
    t.is(stream.status, 200, accept)
    stream.close()
  }
})

test('whatever a client says that it has seen, it gets a stream, with a gap where that is unknown', async t => {
  const { hub, port, tells } = await openEndpoint(t)
  const strange = [
    'Last-Event-ID: nonsense',
    'Last-Event-ID: a-1\r\nLast-Event-ID: a-2',
    `Last-Event-ID: ${'x'.repeat(8_000)}`,
    'Last-Event-ID: __proto__',
    'Last-Event-ID: \xe9\xff-1',
    'Last-Event-ID: a-99999999999999999999',
    'Last-Event-ID: a--1',
  ]
  for (const header of strange) {
    const client = await raw(
      port,
      Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n${header}\r\n\r\n`, 'latin1'),
    )
    t.regex(
      await client.until('event: cursor'),
      /^HTTP\/1\.1 200 OK\r\n[^]*event: gap\ndata: \{"topics":\["news"\],"reason":"unknown"\}\n/,
      header,
    )
    client.close()
  }
  for (const query of [
    'lastEventId=1&lastEventId=2',
    'lastEventId=%00',
    'lastEventId[]=1-1',
    `lastEventId=${'1'.repeat(8_000)}`,
    'lastEventId=%ff',
  ]) {
    const client = await raw(port, `GET /?${query} HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n\r\n`)
    const text = await client.until('event: cursor')
    t.is(text.includes('event: gap'), !query.includes('[]'), query)
    client.close()
  }
  await tells('gap unknown')
  t.is(hub.stats().gaps, strange.length + 4)
})

test('the query resumes like the header, and the header is believed before it', async t => {
  const { hub, open, url } = await openEndpoint(t)
  const first = await open()
  const { id: start } = await first.next()
  const id = await hub.publish('news', { data: 'a' })
  await hub.publish('news', { data: 'b' })
  const read = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url + path, { headers: { 'x-user': 'ann', ...headers } })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!/event: cursor\ndata: .*\n\n/.test(text)) text += (await reader?.read())?.value ?? t.fail('it ended')
    await reader?.cancel()
    return [...text.replace(/event: cursor\n.*\n/, '').matchAll(/^data: (.*)$/gm)].map(match => match[1])
  }
  t.deepEqual(await read(`/?lastEventId=${start ?? ''}`), ['a', 'b'])
  t.deepEqual(await read(`/?lastEventId=${start ?? ''}`, { 'last-event-id': id }), ['b'])
  t.deepEqual(await read('/?lastEventId='), [])
})

onEveryKoa('a client of HTTP/1.0 gets the stream without chunks, until the connection ends', async (t, Koa) => {
  const { hub, port, tells } = await openEndpoint(t, {}, { Koa })
  const client = await raw(port, 'GET / HTTP/1.0\r\nX-User: ann\r\nAccept: text/event-stream\r\n\r\n')
  await client.until('event: cursor')
  const id = await hub.publish('news', { data: 'a' })
  await client.until('data: a')
  await hub.disconnect({ identity: 'ann' })
  const [head = '', ...body] = (await client.ended()).split('\r\n\r\n')
  t.regex(head, /^HTTP\/1\.1 200 OK\r\n/)
  t.notRegex(head, /transfer-encoding|keep-alive/i)
  const cursor = 'id: \\S+\nevent: cursor\ndata: \\{"stream":"[\\w-]+","heartbeat":25000}\n\n'
  const goaway = 'retry: \\d+\nevent: goaway\ndata: \\{"reason":"server"}\n\n'
  t.regex(body.join(), new RegExp(`^retry: \\d+\n${cursor}id: ${id}\ndata: a\n\n${goaway}$`))
  await tells('close server')
})

onEveryKoa('HEAD asks whether the login still holds, as a GET does', async (t, Koa) => {
  const logins = [
    [401, () => false, undefined],
    [503, () => Promise.reject(new Error('no database')), undefined],
    [401, () => true, 1],
  ] as const
  for (const [status, holds, expiresAt] of logins) {
    const authenticate: Authenticator = {
      ...byName,
      authenticate: () => ({ id: 'ann', scheme: 'name', ...(expiresAt !== undefined && { expiresAt }) }),
      revalidation: { interval: 1_000, grace: 0, holds },
    }
    const { open, hub } = await openEndpoint(t, { authenticate }, { Koa })
    const [get, head] = [await open(), await open({ method: 'HEAD' })]
    t.deepEqual([get.status, head.status], [status, status])
    t.is(head.headers['www-authenticate'], get.headers['www-authenticate'])
    t.is(head.headers['content-type'], get.headers['content-type'])
    t.is(hub.stats().opened, 0)
  }
})
