// Runs every example of the README and the docs: the examples are compiled once, for all tests.
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { Redis } from 'ioredis'
import jwt from 'jsonwebtoken'
import { connect, type Live } from 'koa-event-stream/client'
import { subscriptions } from 'koa-event-stream/client/subscriptions'
import { openClient } from '../compression/client.ts'
import { eventually } from '../support/eventually.ts'
import { openStream } from '../support/http.ts'
import { startRedis } from '../support/redis-server.ts'
import { complaints, folder, privateKey } from './compiled.ts'
import { importExample, removeExamples, runExample, runSpecs, startExample } from './example.ts'
import './tasks.ts'

test.after.always(() => removeExamples(folder))

test('the examples compile', t => {
  t.is(complaints, '')
})

test('the first example publishes to who is logged in', async t => {
  const { url } = await runExample(t, folder, 'server.ts')
  t.is((await openStream(`${url}/events`)).status, 401)
  const login = await fetch(`${url}/login`, { method: 'POST' })
  const cookie = login.headers
    .getSetCookie()
    .map(value => value.split(';')[0])
    .join('; ')
  const stream = await openStream(`${url}/events`, { headers: { cookie } })
  await stream.next(({ event }) => event === 'cursor')
  const published = await fetch(`${url}/orders`, { method: 'POST' })
  const event = await stream.next()
  t.deepEqual(event, { kind: 'event', event: 'order.created', data: '{"total":42}', id: await published.text() })
  stream.close()
})

test('a page with a cursor, and a client without one, have the state and then what is live', async t => {
  const { url } = await runExample(t, folder, 'state-first.ts')
  const newcomer = await openStream(`${url}/events`)
  t.like(await newcomer.next(), { event: 'orders', data: '[["7","open"]]' })
  t.is((await newcomer.next()).event, 'cursor')
  newcomer.close()
  const page = await (await fetch(url)).text()
  const cursor = /lastEventId=([\w.~-]+)/.exec(page)?.[1]
  const rendered = await openStream(`${url}/events?lastEventId=${cursor}`)
  t.is((await rendered.next()).event, 'cursor', 'no state a second time')
  rendered.close()
})

test('the API lets tokens in that have the scope', async t => {
  const { url } = await runExample(t, folder, 'api.ts')
  const sign = (scope: string): string =>
    jwt.sign({ scope }, privateKey, {
      algorithm: 'RS256',
      subject: 'ada',
      issuer: 'https://login.example.com',
      audience: 'events',
      expiresIn: '1h',
    })
  const stream = await openStream(url, { headers: { authorization: `Bearer ${sign('events:read')}` } })
  t.is((await stream.next()).event, 'cursor')
  stream.close()
  t.is((await openStream(url, { headers: { authorization: `Bearer ${sign('other')}` } })).status, 403)
})

test('middleware that verifies tokens lets their users in', async t => {
  const { url } = await runExample(t, folder, 'verified.ts')
  const sign = (audience: string): string =>
    jwt.sign({}, privateKey, {
      algorithm: 'RS256',
      subject: 'ada',
      issuer: 'https://login.example.com',
      audience,
      expiresIn: '1h',
    })
  const stream = await openStream(url, { headers: { authorization: `Bearer ${sign('events')}` } })
  t.is((await stream.next()).event, 'cursor')
  stream.close()
  t.is((await openStream(url, { headers: { authorization: `Bearer ${sign('other')}` } })).status, 401)
})

test('prices come compressed to those who can read it', async t => {
  const { url } = await runExample(t, folder, 'compressed.ts')
  const clients = [await openClient(url), await openClient(url), await openClient(url, { encoding: 'identity' })]
  await Promise.all(clients.map(client => client.until(text => text.split('event: quote').length > 20)))
  t.deepEqual(
    clients.map(({ isCompressed }) => isCompressed),
    [true, true, false],
  )
  for (const { isCompressed, wireBytes, text } of clients) t.is(wireBytes < text.length, isCompressed)
  for (const client of clients) client.close()
})

test('a ticket is issued to the holder of a token, and opens one stream', async t => {
  const { url } = await runExample(t, folder, 'tickets.ts')
  const token = jwt.sign({}, privateKey, {
    algorithm: 'RS256',
    subject: 'ada',
    issuer: 'https://login.example.com',
    audience: 'events',
    expiresIn: '1h',
  })
  const ask = (headers: Record<string, string>) => fetch(`${url}/events/ticket`, { method: 'POST', headers })
  t.is((await ask({})).status, 401)
  const answer = await ask({ authorization: `Bearer ${token}` })
  const { ticket } = (await answer.json()) as { ticket: string }
  const stream = await openStream(`${url}/events?ticket=${ticket}&lastEventId=`)
  t.is((await stream.next()).event, 'cursor')
  stream.close()
  t.is((await openStream(`${url}/events?ticket=${ticket}`)).status, 401)
})

test('a page has a ticket for each of its attempts', async t => {
  const { url } = await runExample(t, folder, 'tickets.ts')
  const { follow } = (await importExample(folder, 'ticketed-page.ts')) as {
    follow: (site: string, token: string) => Live
  }
  const token = jwt.sign({}, privateKey, {
    algorithm: 'RS256',
    subject: 'ada',
    issuer: 'https://login.example.com',
    audience: 'events',
    expiresIn: '1h',
  })
  const live = follow(url, token)
  t.teardown(() => live.close())
  await new Promise(resolve => live.addEventListener('cursor', resolve))
  t.regex(live.url, /ticket=/)
  const stranger = follow(url, 'x')
  await new Promise(resolve => stranger.addEventListener('error', resolve))
  t.is(stranger.reason, 'url')
})

test('the limits let in who comes over TLS, and no more streams than are allowed', async t => {
  const redis = await startRedis(t)
  const { url } = await runExample(t, folder, 'limits.ts', { REDIS_URL: redis.url })
  const token = jwt.sign({}, privateKey, {
    algorithm: 'RS256',
    subject: 'ada',
    issuer: 'https://login.example.com',
    audience: 'events',
    expiresIn: '1h',
  })
  const headers = { authorization: `Bearer ${token}` }
  t.is((await openStream(url, { headers })).status, 403)
  const open = () => openStream(url, { headers: { ...headers, 'x-forwarded-proto': 'https' } })
  for (let n = 0; n < 5; n += 1) await (await open()).next(({ event }) => event === 'cursor')
  t.regex(await (await open()).text(), /^retry: \d+\nevent: goaway\ndata: {"reason":"overload"}\n\n$/)
  const admin = new Redis(redis.url)
  t.deepEqual((await admin.keys('rlflx:*')).toSorted(), ['rlflx:address:127.0.0.1', 'rlflx:identity:ada'])
  admin.disconnect()
})

test('the shutdown ends streams, then the process', async t => {
  const { url, process: child } = await runExample(t, folder, 'shutdown.ts')
  const stream = await openStream(url)
  await stream.next()
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  t.is(await stream.closed, 'end')
  t.like(stream.received.at(-1), { event: 'goaway', data: '{"reason":"drain"}' })
  const [code] = (await exited) as [number]
  t.is(code, 0)
})

test('instances share what is published, and workers publish without Koa', async t => {
  const redis = await startRedis(t)
  const env = { REDIS_URL: redis.url }
  const [one, other] = await Promise.all([
    runExample(t, folder, 'instance.ts', env),
    runExample(t, folder, 'instance.ts', env),
  ])
  const streams = await Promise.all([openStream(one.url), openStream(other.url)])
  for (const stream of streams) await stream.next(({ event }) => event === 'cursor')
  const worker = startExample(t, folder, 'worker.ts', env)
  const admin = new Redis(redis.url)
  for (const stream of streams) t.like(await stream.next(), { event: 'headline', data: '{"text":"It works"}' })
  await admin.xadd('outbox', '*', 'topic', 'news', 'data', 'from anywhere')
  for (const stream of streams) t.like(await stream.next(), { event: 'message', data: 'from anywhere' })
  worker.kill('SIGTERM')
  const [code] = (await once(worker, 'exit')) as [number]
  t.is(code, 0)
  admin.disconnect()
  for (const stream of streams) stream.close()
})

test('a client reads on until an order is large enough, and the route of the user’s own orders says which event each is', async t => {
  const { url } = await runExample(t, folder, 'own-actions.ts')
  const reader = startExample(t, folder, 'read.ts', { STREAM: `${url}/events` })
  const ended = once(reader, 'exit')
  const stream = await openStream(`${url}/events`)
  await stream.next(({ event }) => event === 'cursor')
  let total = 0
  const order = async () => {
    total += 50
    const response = await fetch(`${url}/orders?total=${total}`, { method: 'POST' })
    t.like(await stream.next(), { event: 'order.created', id: response.headers.get('event-id') })
  }
  // The client may not be there for the first ones.
  for (let isOver = false; !isOver;) {
    await order()
    isOver = await Promise.race([ended.then(() => true), setTimeout(100, false)])
  }
  t.deepEqual(await ended, [0, null])
  stream.close()
})

test('a service publishes over HTTP, to topics of its own', async t => {
  const env = { PUBLISH_KEY: 'a key of more than thirty-two bytes' }
  const { url } = await runExample(t, folder, 'publish-route.ts', env)
  const token = jwt.sign({ exp: Math.ceil(Date.now() / 1_000) + 60 }, env.PUBLISH_KEY, {
    issuer: 'https://billing.example.com',
    audience: 'events',
    subject: 'billing',
  })
  const stream = await openStream(`${url}/events`)
  await stream.next(({ event }) => event === 'cursor')
  const publish = async (topics: string) => {
    const response = await fetch(`${url}/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ topics, event: 'invoice.paid', data: { number: 7 } }),
    })
    return [response.status, (await response.json()) as { ids: string[] }] as const
  }
  t.is((await publish('orders'))[0], 403)
  const [status, answer] = await publish('billing:invoices')
  t.is(status, 200)
  t.like(await stream.next(), { event: 'invoice.paid', data: '{"number":7}', id: answer.ids[0] })
  stream.close()
})

test('an answer goes on without its reader, for its owner alone', async t => {
  const { url } = await runExample(t, folder, 'answers.ts')
  const headersOf = (subject: string) => {
    const options = { issuer: 'https://login.example.com', audience: 'events', expiresIn: '1h' } as const
    return { authorization: `Bearer ${jwt.sign({}, privateKey, { algorithm: 'RS256', subject, ...options })}` }
  }
  const headers = headersOf('ada')
  const starter = await openStream(`${url}/answers/1?q=why`, { method: 'POST', headers })
  await starter.next(({ event }) => event === 'token')
  starter.close()
  const follower = await openStream(`${url}/answers/1`, { headers })
  await follower.next(({ event }) => event === 'done')
  const tokens = follower.received.filter(({ event }) => event === 'token')
  t.is(tokens.map(({ data }) => data).join(''), 'You asked: why')
  for (const id of ['1', '2'])
    t.is((await openStream(`${url}/answers/${id}`, { headers: headersOf('bob') })).status, 403)
  t.is((await fetch(`${url}/answers/1`, { method: 'DELETE', headers })).status, 204)
})

test('a page enters a room while its stream lives, and is put out of it', async t => {
  const env = { LOGIN_KEY: 'a key of more than thirty-two bytes' }
  const { url } = await runExample(t, folder, 'rooms.ts', env)
  const token = jwt.sign({ exp: Math.ceil(Date.now() / 1_000) + 60 }, env.LOGIN_KEY, {
    issuer: 'https://login.example.com',
    audience: 'events',
    subject: 'ada',
  })
  const headers = { authorization: `Bearer ${token}` }
  const live = connect(`${url}/events`, { headers })
  t.teardown(() => live.close())
  const said: unknown[] = []
  live.on('message', data => said.push(data))
  const topics = subscriptions(live, `${url}/subscriptions`, { headers })
  await t.throwsAsync(topics.subscribe('room:8'), { message: /403/ })
  const { since } = await topics.subscribe('room:7')
  const id = await (await fetch(`${url}/say`)).text()
  t.true(Number(id.split('-')[1]) > Number(since.split('-')[1]))
  await eventually(
    () => said.length === 1,
    () => 'nothing was said in the room',
  )
  await fetch(`${url}/out`)
  await t.throwsAsync(topics.subscribe('room:9'), { message: /403/ })
  await fetch(`${url}/say`)
  const later = await openStream(`${url}/events`, { headers })
  await later.next(({ event }) => event === 'cursor')
  later.close()
  t.deepEqual(said, ['hello'])
})

test('whoever has a room’s stream is present there, once, and is told who else is', async t => {
  const { url } = await runExample(t, folder, 'presence.ts')
  const enter = (subject: string) => {
    const options = { issuer: 'https://login.example.com', audience: 'events', expiresIn: '1h' } as const
    const token = jwt.sign({}, privateKey, { algorithm: 'RS256', subject, ...options })
    return openStream(`${url}/rooms/7/events`, { headers: { authorization: `Bearer ${token}` } })
  }
  const ada = await enter('ada')
  await enter('ada')
  await enter('bob')
  const { data } = await ada.next(({ event, data: state }) => event === 'presence' && state.includes('"count":2'))
  const members = ['ada', 'bob'].map(id => ({ id, info: { name: id } }))
  t.deepEqual(JSON.parse(data), { topic: 'room:7', count: 2, members })
  t.deepEqual(await (await fetch(`${url}/rooms/7`)).json(), { count: 2, members })
})

test('a chat has its answer as a stream of UI messages, from the beginning for who comes later, and nothing where there is none', async t => {
  const redis = await startRedis(t)
  const { url, process: child } = await runExample(t, folder, 'chat.ts', { REDIS_URL: redis.url })
  const headersOf = (subject: string) => {
    const options = { issuer: 'https://login.example.com', audience: 'events', expiresIn: '1h' } as const
    return { authorization: `Bearer ${jwt.sign({}, privateKey, { algorithm: 'RS256', subject, ...options })}` }
  }
  const headers = headersOf('ada')
  const messages = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Why?' }] }]
  const ask = (who: Record<string, string>) =>
    openStream(`${url}/api/chat`, {
      method: 'POST',
      headers: { ...who, 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'c1', messages }),
    })
  t.is((await openStream(`${url}/api/chat/c1/stream`, { headers })).status, 204)
  const begun = once(child, 'message')
  const asked = await ask(headers)
  await begun
  child.send('Because')
  await asked.next(({ data }) => data.includes('Because'))
  asked.close()
  t.is((await ask(headersOf('bob'))).status, 403)
  t.is((await openStream(`${url}/api/chat/c1/stream`, { headers: headersOf('bob') })).status, 403)
  const late = await openStream(`${url}/api/chat/c1/stream`, { headers })
  child.send('.')
  child.send('')
  t.is(await late.closed, 'end')
  const chunks = late.received.filter(({ kind }) => kind === 'event').map(({ data }) => data)
  t.is(chunks.at(-1), '[DONE]')
  const text = chunks.slice(0, -1).map(data => (JSON.parse(data) as { delta?: string }).delta ?? '')
  t.is(text.join(''), 'Because.')
  const saved = (await (await fetch(`${url}/api/chat/c1`, { headers })).json()) as { role: string }[]
  t.deepEqual(
    saved.map(({ role }) => role),
    ['user', 'assistant'],
  )
  const again = once(child, 'message')
  const other = await ask(headers)
  await again
  const stopped = once(child, 'message')
  t.is((await fetch(`${url}/api/chat/c1/stream`, { method: 'DELETE', headers: headersOf('bob') })).status, 403)
  const elsewhere = await runExample(t, folder, 'chat.ts', { REDIS_URL: redis.url })
  const answer = await fetch(`${elsewhere.url}/api/chat/c1/stream`, { method: 'DELETE', headers })
  t.is(answer.status, 204)
  t.deepEqual(await stopped, ['stopped', undefined])
  t.is(await other.closed, 'cut')
  t.is((await openStream(`${url}/api/chat/c1/stream`, { headers })).status, 204)
})

test('the metrics of an application are there to be scraped', async t => {
  const { url } = await runExample(t, folder, 'metrics.ts')
  const stream = await openStream(`${url}/events`)
  await stream.next(({ event }) => event === 'cursor')
  await fetch(`${url}/orders`, { method: 'POST' })
  await stream.next(({ data }) => data === 'paid')
  const text = await (await fetch(`${url}/metrics`)).text()
  t.regex(text, /^koa_event_stream_streams 1$/m)
  t.regex(text, /^koa_event_stream_published_total\{topic="order"\} 1$/m)
})

test('the page for operators is for whom the application lets in, and for what', async t => {
  const { url } = await runExample(t, folder, 'operated.ts')
  const login = await fetch(`${url}/login`, { method: 'POST' })
  const cookie = login.headers
    .getSetCookie()
    .map(pair => pair.split(';')[0])
    .join('; ')
  const headers = { cookie, 'content-type': 'application/json' }
  const stream = await openStream(`${url}/events`, { headers })
  await stream.next(({ event }) => event === 'cursor')
  t.is((await fetch(`${url}/ops/`)).status, 401)
  t.regex(await (await fetch(`${url}/ops`, { headers })).text(), /<h1>Event streams<\/h1>/)
  const { streams } = (await (await fetch(`${url}/ops/streams`, { headers })).json()) as { streams: { id: string }[] }
  const act = (action: object) => fetch(`${url}/ops/actions`, { method: 'POST', headers, body: JSON.stringify(action) })
  t.is((await act({ type: 'drain', instance: 'any' })).status, 403)
  t.is((await act({ type: 'cut', stream: streams[0]?.id })).status, 200)
  t.is((await stream.next(({ event }) => event === 'goaway')).data, '{"reason":"server"}')
})

test('an application that traces without an SDK serves its streams', async t => {
  const { url } = await runExample(t, folder, 'tracing.ts')
  const stream = await openStream(url)
  t.is((await stream.next()).event, 'cursor')
})

test('streams are in no histogram of requests, and what was refused is', async t => {
  const { url } = await runExample(t, folder, 'latency.ts')
  const stream = await openStream(`${url}/?room=1`)
  await stream.next(({ event }) => event === 'cursor')
  stream.close()
  t.is((await openStream(url)).status, 403)
  let text = ''
  await eventually(
    async () => {
      text = await (await fetch(`${url}/metrics`)).text()
      return text.includes('method="GET",status="403"')
    },
    () => text,
  )
  const counts = [...text.matchAll(/_count\{method="GET",status="(\d+)"\} (\d+)/g)].map(([, status, count]) => [
    status,
    count,
  ])
  t.deepEqual(
    counts.filter(([status]) => status === '403'),
    [['403', '1']],
  )
  // Those before this one are of scrapes.
  const scrapes = Number(counts.find(([status]) => status === '200')?.[1] ?? 0)
  const again = await (await fetch(`${url}/metrics`)).text()
  t.is(Number(/_count\{method="GET",status="200"\} (\d+)/.exec(again)?.[1]), scrapes + 1)
})

test('the tests of an application pass, and those of a broker and an authenticator of its own', async t => {
  // Three of an application, two of time, 37 of a broker and 8 of an authenticator.
  const specs = ['order-events.spec.ts', 'expiry.spec.ts', 'contracts.spec.ts']
  t.like(await runSpecs(folder, specs), { failed: 0, passed: 50 })
})
