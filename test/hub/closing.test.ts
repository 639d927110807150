// Every way in which the hub closes streams: one at a time, by identity, by revocation, by a drain, for good.
import { once } from 'node:events'
import test from 'ava'
import { createHub, memoryBroker, type CloseReason, type Hub } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { arrival, messages, openSite, type Site } from './site.ts'

const untyped = (value: unknown) => value as never

async function closed(hub: Hub): Promise<{ id: string | undefined; reason: CloseReason }> {
  const [{ stream, reason }] = (await once(hub, 'close')) as [
    { stream: { identity?: { id: string } }; reason: CloseReason },
  ]
  return { id: stream.identity?.id, reason }
}

/** Who has a session and a token of their own: `ada` has the session `s:ada` and the token `t:ada`. */
const identify = (id: string) => ({ id: id.split('.')[0] ?? id, session: `s:${id}`, token: `t:${id}` })

test('streams are closed by identity, by session and by token, and by nothing else', async t => {
  const { hub, open, streams, isEmpty } = await openSite(t, { identify })
  const users = ['ada.phone', 'ada.desk', 'ben', 'cyd']
  const clients = await Promise.all(users.map(user => open('a', `user=${user}`)))
  const byUser = (user: string) => streams.find(({ identity }) => identity.session === `s:${user}`)
  const stillOpen = () => users.filter(user => byUser(user)?.closeReason === undefined)

  await hub.disconnect({ identity: 'nobody' })
  await hub.disconnect({ identity: 'ada', session: 's:ben' })
  await hub.disconnect({ session: 's:ben', token: 't:cyd' })
  t.deepEqual(stillOpen(), users)
  const leaving = closed(hub)
  await hub.disconnect({ session: 's:ada.desk' }, 'logout')
  t.deepEqual(await leaving, { id: 'ada', reason: 'logout' })
  t.deepEqual(stillOpen(), ['ada.phone', 'ben', 'cyd'])
  await hub.disconnect({ token: 't:cyd' })
  t.deepEqual(stillOpen(), ['ada.phone', 'ben'])
  await hub.disconnect({ identity: 'ada' })
  t.deepEqual(stillOpen(), ['ben'])
  t.is(byUser('cyd')?.closeReason, 'server')
  t.is(byUser('ada.phone')?.signal.reason, 'server')
  for (const [n, client] of clients.entries()) if (users[n] !== 'ben') t.is(await client.closed, 'end')
  clients[2]?.close()
  await isEmpty()
  t.like(hub.stats(), {
    streams: 0,
    identities: 0,
    addresses: 0,
    opened: 4,
    closed: { server: 2, logout: 1, client: 1 },
  })
})

test('what would close everybody, or nobody by mistake, is refused', async t => {
  const { hub } = await openSite(t)
  for (const filter of [
    {},
    { identity: undefined },
    { identity: 7 },
    { session: '' },
    { token: null },
    { user: 'ada' },
  ]) {
    await t.throwsAsync(hub.disconnect(untyped(filter)), { instanceOf: TypeError }, JSON.stringify(filter))
  }
  for (const [token, expiry] of [
    ['', 1],
    [7, 1],
    ['t', Math.floor(Date.now() / 1_000) + 3_600],
    ['t', NaN],
    ['t', undefined],
    ['t', new Date(NaN)],
  ] as const) {
    await t.throwsAsync(hub.revoke(untyped(token), untyped(expiry)), { instanceOf: TypeError })
  }
})

test('a revoked token ends its streams and opens no other, until it would have expired', async t => {
  const { hub, open, clock, last } = await openSite(t, { identify })
  const client = await open('a', 'user=ada')
  const other = await open('a', 'user=ben')
  await hub.revoke('t:ada', new Date(clock.now() + 60_000))
  t.is(await client.closed, 'end')
  t.is(last().closeReason, undefined)
  t.is((await open('a', 'user=ada')).status, 401)
  t.true(await hub.isRevoked('t:ada'))
  clock.advance(60_000)
  t.false(await hub.isRevoked('t:ada'))
  t.is((await open('a', 'user=ada')).status, 200)
  other.close()
})

test('a token that cannot be remembered as revoked loses its streams here all the same', async t => {
  const broker = memoryBroker()
  broker.store.set = () => Promise.reject(new Error('the store is down'))
  const { hub, open, last, clock } = await openSite(t, { identify, hub: { broker } })
  const client = await open('a', 'user=ada')
  const error = await t.throwsAsync(hub.revoke('t:ada', clock.now() + 60_000), { code: 'ERR_BROKER' })
  t.is((error.cause as Error).message, 'the store is down')
  t.is(await client.closed, 'end')
  t.is(last().closeReason, 'revoked')
})

test('a publish that is wrong rejects, and nothing is sent', async t => {
  const { hub, open, publish } = await openSite(t, { hub: { maxEventBytes: 100 } })
  const client = await open('a')
  await arrival(client)
  const circular: Record<string, unknown> = {}
  circular.self = circular
  const wrong: [string, unknown, unknown][] = [
    ['ERR_EVENT_INVALID', 'a', { event: 'x\ndata: forged', data: '' }],
    ['ERR_EVENT_INVALID', 'a', { data: 'x', id: 'own' }],
    ['ERR_EVENT_INVALID', 'a', { event: 'gap', data: '' }],
    ['ERR_EVENT_INVALID', 'a', { data: circular }],
    ['ERR_EVENT_INVALID', 'a', {}],
    ['ERR_EVENT_INVALID', 'a', undefined],
    ['ERR_EVENT_TOO_LARGE', 'a', { data: 'x'.repeat(94) }],
    ['ERR_TOPIC_INVALID', ['a', 'b\n'], { data: 'x' }],
    ['ERR_TOPIC_INVALID', [], { data: 'x' }],
    ['ERR_TOPIC_INVALID', '', { data: 'x' }],
  ]
  for (const [code, topics, event] of wrong) {
    await t.throwsAsync(hub.publish(untyped(topics), untyped(event)), { code }, JSON.stringify(topics))
  }
  t.is(hub.stats().published, 0)
  await publish(['a', 'a'], '€'.repeat(30), 'end')
  await client.next(({ data }) => data === 'end')
  t.deepEqual(
    client.received.slice(2).map(({ data }) => data),
    ['€'.repeat(30), 'end'],
  )
})

test('the hub tells of streams as they open and close, once each', async t => {
  const { open, told, clock, isEmpty, streams } = await openSite(t)
  const client = await open('a')
  clock.advance(5_000)
  client.close()
  await isEmpty()
  const [stream] = streams
  t.like(told, [
    { name: 'open', stream: { id: stream?.id } },
    { name: 'close', reason: 'client', duration: 5_000 },
  ])
  t.is(told.length, 2)
})

test('draining tells each client when to come back, ends all streams, and postpones newcomers', async t => {
  const { hub, open, publish, told } = await openSite(t)
  const clients = await Promise.all(Array.from({ length: 20 }, () => open('a')))
  await Promise.all(clients.map(arrival))
  const [id] = await publish('a', 'last words')
  const draining = hub.drain({ within: 8_000 })
  const newcomer = await open('a')
  await Promise.all([draining, hub.drain()])
  const retries = new Set<number>()
  for (const client of clients) {
    t.is(await client.closed, 'end')
    const [words, retry, goaway] = client.received.slice(-3)
    t.like(words, { data: 'last words', id })
    t.is(retry?.kind, 'retry')
    t.deepEqual(goaway, { kind: 'event', event: 'goaway', data: '{"reason":"drain"}', id: undefined })
    retries.add(Number(retry?.data))
  }
  t.true([...retries].every(ms => Number.isInteger(ms) && ms >= 500 && ms <= 8_500))
  t.true(retries.size > 10)
  t.regex(await newcomer.text(), /^retry: [0-9]{4}\nevent: goaway\ndata: {"reason":"drain"}\n\n$/)
  t.is(newcomer.status, 200)
  t.deepEqual(
    told.filter(({ name }) => name === 'drain'),
    [{ name: 'drain', streams: 20 }],
  )
  t.like(hub.stats(), { streams: 0, topics: 0, closed: { drain: 20 }, refused: { draining: 1 } })
})

test('a drain cuts who does not take the end in time, also in the middle of a replay', async t => {
  const broker = memoryBroker({ history: { bytes: 64 << 20 } })
  const { hub, openUnread, publish, clock, streams } = await openSite(t, { hub: { broker } })
  const [start] = await publish('a', 'start')
  for (let n = 0; n < 200; n += 1) await publish('a', 'x'.repeat(64_000))
  const client = await openUnread('a', `lastEventId=${start}`)
  const [stream] = streams
  await eventually(
    () => (stream?.bufferedBytes ?? 0) > 0,
    () => 'The client is not stuck',
  )
  const draining = hub.drain({ within: 2_000 })
  t.is(stream?.closeReason, 'drain')
  t.is(hub.stats().streams, 1)
  clock.advance(2_000)
  await draining
  t.is(hub.stats().streams, 0)
  const received = client.read()
  await received.closed
  const ids = received.received.flatMap(({ id }) => id ?? [])
  t.deepEqual(ids, [...new Set(ids)].toSorted())
})

for (const [how, end] of [
  ['hub.disconnect()', ({ hub }) => hub.disconnect({ identity: 'ada' })],
  ['stream.close()', ({ last }) => last().close()],
  ['stream.end()', ({ last }) => last().end()],
] as [string, (site: Site) => unknown][]) {
  test(`what was published a moment before ${how} still reaches the client`, async t => {
    const site = await openSite(t)
    const client = await site.open('a')
    await arrival(client)
    const last = site.hub.publish('a', { data: 'the last words' })
    await end(site)
    await last
    t.is(await client.closed, 'end')
    t.deepEqual(messages(client.received), ['the last words'])
    await site.isEmpty()
  })
}

test('an application that ends its stream in the middle of a replay ends it cleanly', async t => {
  const broker = memoryBroker({ history: { bytes: 64 << 20 } })
  const { openUnread, publish, streams, isEmpty } = await openSite(t, { hub: { broker } })
  const [start] = await publish('a', 'start')
  for (let n = 0; n < 200; n += 1) await publish('a', 'x'.repeat(64_000))
  const client = await openUnread('a', `lastEventId=${start}`)
  const [stream] = streams
  await eventually(
    () => (stream?.bufferedBytes ?? 0) > 0,
    () => 'The client is not stuck',
  )
  stream?.end()
  t.is(stream?.closeReason, 'done')
  t.is(await client.read().closed, 'end')
  await isEmpty()
})

test('a window that is no duration is refused, and nothing is drained', async t => {
  const { hub, open } = await openSite(t)
  const client = await open('a')
  for (const within of [NaN, -1, 0, '1s', Infinity]) {
    await t.throwsAsync(hub.drain({ within: untyped(within) }), { instanceOf: TypeError, message: /`within`/ })
  }
  t.is((await open('a')).status, 200)
  t.is(hub.stats().closed.drain, 0)
  client.close()
})

test('a closed hub has ended its streams and takes nothing more; closing it again is harmless', async t => {
  const { hub, open } = await openSite(t)
  const client = await open('a')
  await Promise.all([hub.close(), hub.close()])
  t.is(await client.closed, 'end')
  await hub.close()
  await t.throwsAsync(hub.publish('a', { data: 'x' }), { code: 'ERR_HUB_CLOSED' })
  await t.throwsAsync(hub.disconnect({ identity: 'ada' }), { code: 'ERR_HUB_CLOSED' })
  await t.throwsAsync(hub.revoke('t', Date.now()), { code: 'ERR_HUB_CLOSED' })
})

test('a wrong option is an error at start-up that names it', t => {
  for (const [name, options] of [
    ['maxEventBytes', { maxEventBytes: 0 }],
    ['createHub', { heartbeat: 1 }],
  ] as const) {
    t.throws(() => createHub(untyped(options)), { instanceOf: TypeError, message: new RegExp(`\`${name}\``) })
  }
})

test('an engine has one hub: with another, the first would hear of nothing any more', t => {
  const broker = memoryBroker()
  createHub({ broker })
  t.throws(() => createHub({ broker }), { instanceOf: TypeError, message: /`broker`/ })
})
