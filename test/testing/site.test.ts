// A test site over its whole life, used as an application's tests use it.
import { createServer } from 'node:http'
import test from 'ava'
import { createHub } from 'koa-event-stream'
import { signedIn, StreamRefused, testStreams } from 'koa-event-stream/testing'
import { ManualClock } from '../support/manual-clock.ts'
import { PATIENCE } from '../support/progress.ts'
import { createApp, openSite } from './site.ts'

const ada = { id: 'ada' }

test('a stream stands once it is open, and each event is answered once, by its name', async t => {
  const { hub, site } = await openSite(t)
  const stream = await site.open('/events', { as: ada })
  t.truthy(stream.id)
  await hub.publish('news', { event: 'note', data: 'one' })
  await hub.publish('user:ada', { event: 'order.created', data: { total: 1 } })
  const last = await hub.publish('news', { event: 'order.created', data: { total: 2 } })
  t.is((await stream.next('order.created')).data.total, 1)
  t.is((await stream.next('order.created')).data.total, 2)
  t.like(await stream.next(), { event: 'note', data: 'one' })
  t.deepEqual(
    stream.events.map(({ data }) => data),
    ['one', { total: 1 }, { total: 2 }],
  )
  t.is(stream.cursor, last)
})

test('whoever is said to ask is logged in at every mount, whatever its authenticators, and nobody else is', async t => {
  const { hub, site } = await openSite(t)
  for (const path of ['/events', '/verified', '/ticketed']) {
    const bob = await site.open(path, { as: { id: 'bob' } })
    await hub.publish('user:ada', { event: 'note', data: 'for Ada' })
    await hub.publish('user:bob', { event: 'note', data: path })
    await bob.settled()
    t.deepEqual(
      bob.events.map(({ data }) => data),
      [path],
    )
    const refused = await t.throwsAsync(site.open(path), { instanceOf: StreamRefused })
    t.is(refused.status, 401)
    t.truthy(refused.challenge)
  }
  const me = await site.fetch('/me', { as: { ...ada, claims: { admin: true } } })
  t.deepEqual(await me.json(), { id: 'ada', scheme: 'test', claims: { admin: true } })
  t.is((await site.fetch('/me')).status, 401)
  t.is((await site.fetch('/tickets', { method: 'POST', as: ada })).status, 200)
  t.is((await site.open('/public', { as: ada })).events.length, 0)
})

test('a test login ends as any: by its session, its token, its time, and all of its identity', async t => {
  const clock = new ManualClock()
  const { hub, site } = await openSite(t, { clock })
  const by = async (as: object, end: () => unknown, reason: string) => {
    const stream = await site.open('/events', { as: { ...ada, ...as } })
    await end()
    t.is(await stream.closed, reason)
    await t.throwsAsync(stream.next('note'), { message: /GET \/events as ada has ended \(`.+`\)/ })
    await stream.settled()
  }
  await by({ session: 's' }, () => hub.disconnect({ session: 's' }, 'logout'), 'logout')
  const expiry = clock.now() + 60_000
  await by({ token: 't' }, () => hub.revoke('t', expiry), 'revoked')
  await by({ expiresAt: clock.now() + 5_000 }, () => clock.advance(5_000), 'expired')
  await by({}, () => hub.disconnect({ identity: 'ada' }), 'server')
  t.is(
    (await t.throwsAsync(site.open('/events', { as: { ...ada, token: 't' } }), { instanceOf: StreamRefused })).status,
    401,
  )
  t.is((await site.fetch('/me', { as: { ...ada, token: 't' } })).status, 401)
})

test('the key of a site opens no other server, no other site and no mount of another hub, and the application never sees it', async t => {
  const { app, hub, site } = await openSite(t)
  const other = await openSite(t)
  const seen = (await (await site.fetch('/headers', { as: ada })).json()) as { headers: object; raw: string[] }
  t.notRegex(JSON.stringify(seen), /test-key/)
  // The key is what a listener in front of the site's would see.
  const heard: string[] = []
  const server = createServer(app.callback())
  server.on('request', ({ headers }) => heard.push(String(headers['koa-event-stream-test-key'])))
  const spied = await testStreams(server, { hub, within: PATIENCE })
  t.teardown(() => spied.close())
  server.prependListener('request', ({ headers }) => heard.push(String(headers['koa-event-stream-test-key'])))
  await spied.open('/events', { as: ada })
  const key = heard[0] ?? ''
  t.regex(key, /^[\w-]{43}\.0$/)
  t.is(heard[1], 'undefined', 'behind the site it is gone')
  const ask = async (url: string, value = key) =>
    (await fetch(`${url}/me`, { headers: { 'koa-event-stream-test-key': value } })).status
  t.is(await ask(spied.url), 200)
  for (const wrong of [key.replace(/^./, '~'), `${key}0`, key.slice(1), '.0', ''])
    t.is(await ask(spied.url, wrong), 401)
  t.is(await ask(site.url), 401)
  t.is(await ask(other.site.url), 401)
  await spied.close()
  const production = createServer(app.callback()).listen(0, '127.0.0.1')
  t.teardown(() => production.close())
  await new Promise(resolve => production.once('listening', resolve))
  t.is(await ask(`http://127.0.0.1:${(production.address() as { port: number }).port}`), 401)
  const stranger = await testStreams(app, { hub: createHub(), within: PATIENCE })
  t.teardown(() => stranger.close())
  const refused = await t.throwsAsync(stranger.open('/events', { as: ada }), { instanceOf: StreamRefused })
  t.is(refused.status, 401)
})

test.serial('in production there are no test logins, whenever that is said', async t => {
  const { app, hub, site } = await openSite(t)
  const everybody = signedIn(ada)
  const before = process.env.NODE_ENV
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  })
  process.env.NODE_ENV = 'production'
  t.throws(() => signedIn(ada), { instanceOf: TypeError, message: /signedIn\(\).*`authenticate`/ })
  t.throws(() => everybody.authenticate({} as never), { instanceOf: TypeError, message: /NODE_ENV/ })
  await t.throwsAsync(testStreams(app, { hub }), { instanceOf: TypeError, message: /testStreams\(\).*NODE_ENV/ })
  t.like(await t.throwsAsync(site.open('/events', { as: ada }), { instanceOf: StreamRefused }), { status: 401 })
  process.env.NODE_ENV = 'test'
  t.notThrows(() => signedIn(ada))
})

test('what did not come by the fence does not come, and the fence shows nowhere', async t => {
  const { hub, site } = await openSite(t)
  const [own, other] = [await site.open('/events', { as: ada }), await site.open('/events', { as: { id: 'bob' } })]
  for (let n = 1; n <= 200; n += 1) {
    await hub.publish(n % 2 === 0 ? 'user:bob' : 'user:ada', { event: 'order.created', data: { total: n } })
  }
  await Promise.all([own.settled(), other.settled()])
  t.is(own.events.length, 100)
  t.is(other.events.length, 100)
  t.true(own.events.every(({ event, data }) => event === 'order.created' && data.total % 2 === 1))
  t.deepEqual([own.gaps, other.gaps], [[], []])
})

test('a fence that cannot be one says so', async t => {
  const { site } = await openSite(t)
  const source = await site.open('/source', { as: ada })
  t.is((await source.next('note')).data, 'one')
  t.is((await source.next('note')).data, 'two')
  t.is(await source.closed, 'done')
  await source.settled()
  const full = await site.open('/two')
  await t.throwsAsync(full.settled(), { message: /`limits\.topics`/ })
})

test('a stream that is refused says with what, and one that is cut or lacks an event says what has come', async t => {
  const { hub, site } = await openSite(t)
  t.like(await t.throwsAsync(site.open('/nowhere'), { instanceOf: StreamRefused }), { status: 404, body: 'Not Found' })
  const none = await t.throwsAsync(site.open('/nothing', { as: ada }), { instanceOf: StreamRefused })
  t.is(none.status, 204)
  await t.throwsAsync(site.open('events'), { instanceOf: TypeError, message: /slash/ })
  const stream = await site.open('/events', { as: ada })
  await hub.publish('news', { event: 'note', data: 'x'.repeat(200) })
  await stream.next('note')
  const late = stream.next('order.created', { within: 1 })
  await t.throwsAsync(late, { message: /waited for `order\.created`.*within 1 ms.*note "x{50,79}…/ })
  const waiting = t.throwsAsync(stream.next('order.created'), { message: /has ended \(`cut`\)/ })
  await stream.cut()
  await waiting
  t.is(await stream.closed, 'cut')
  await hub.drain({ within: 1 })
  const drained = await t.throwsAsync(site.open('/events', { as: ada }), { instanceOf: StreamRefused })
  t.like(drained, { status: 200, reason: 'drain' })
})

test('a stream that was cut goes on where it was, and a newcomer may go on from there', async t => {
  const { hub, site } = await openSite(t)
  const stream = await site.open('/events', { as: ada })
  await hub.publish('news', { event: 'note', data: 'seen' })
  await stream.next('note')
  await t.throwsAsync(stream.resume(), { message: /is connected/ })
  const { id, cursor } = stream
  await stream.cut()
  t.is(hub.stats().streams, 0)
  await hub.publish('news', { event: 'note', data: 'missed' })
  await stream.resume()
  t.not(stream.id, id)
  t.is((await stream.next('note')).data, 'missed')
  const other = await site.open('/public', { lastEventId: cursor })
  t.is((await other.next('note')).data, 'missed')
  t.deepEqual([stream.gaps, other.gaps], [[], []])
  await stream.close()
  t.is(await stream.closed, 'client')
})

test('history that is trimmed is told to whoever has missed some of it, and to nobody else', async t => {
  const { hub, site } = await openSite(t)
  const [missing, present] = [await site.open('/public'), await site.open('/public')]
  await missing.cut()
  await hub.publish('news', { event: 'note', data: 'lost' })
  await site.trim('news')
  await hub.publish('news', { event: 'note', data: 'kept' })
  await missing.resume()
  t.deepEqual(missing.gaps, [{ topics: ['news'], reason: 'trimmed' }])
  t.is((await missing.next('note')).data, 'kept')
  await present.settled()
  t.deepEqual(
    present.events.map(({ data }) => data),
    ['lost', 'kept'],
  )
  t.deepEqual(present.gaps, [])
  const newcomer = await site.open('/replay')
  t.is((await newcomer.next('note')).data, 'kept')
})

test('a log that is lost is told to streams that stand, and to those that come back', async t => {
  const { hub, site } = await openSite(t)
  const [standing, missing] = [await site.open('/events', { as: ada }), await site.open('/public')]
  await hub.publish('news', { event: 'note', data: 'before' })
  await Promise.all([standing.settled(), missing.settled()])
  await missing.cut()
  await site.lose()
  await hub.publish('news', { event: 'note', data: 'after' })
  await standing.settled()
  t.deepEqual(
    standing.gaps.map(({ topics, reason }) => [topics.toSorted(), reason]),
    [[['news', 'user:ada'], 'epoch']],
  )
  await missing.resume()
  t.deepEqual(missing.gaps, [{ topics: ['news'], reason: 'epoch' }])
  await missing.settled()
  for (const { events } of [standing, missing]) t.is(events[0]?.data, 'before')
  t.is(standing.events.at(-1)?.data, 'after')
  const newcomer = await site.open('/replay')
  await newcomer.settled()
  t.deepEqual(
    newcomer.events.map(({ data }) => data),
    ['after'],
  )
})

test('time stands still until the test moves it, and streams work all the same', async t => {
  const clock = new ManualClock()
  const { hub, site } = await openSite(t, { clock })
  const stream = await site.open('/events', { as: ada })
  t.deepEqual(stream.comments, [])
  clock.advance(60_000)
  t.is(await stream.comment(), '')
  await hub.publish('news', { event: 'note', data: 'now' })
  await stream.settled()
  t.is(stream.events.length, 1)
  await stream.cut()
  clock.advance(600_000)
  await stream.resume()
  t.deepEqual(stream.gaps, [], 'nothing was missed')
})

test('a server that listens already goes on when the site is closed, and a listener is an application', async t => {
  const { app, hub } = createApp()
  t.teardown(() => hub.close())
  const server = createServer(app.callback()).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  const site = await testStreams(server, { hub, within: PATIENCE })
  await site.open('/events', { as: ada })
  await site.close()
  t.is(hub.stats().streams, 0)
  t.is((await fetch(`${site.url}/headers`)).status, 200)
  const listener = await testStreams(app.callback(), { hub, within: PATIENCE })
  await listener.open('/events', { as: ada })
  await listener.close()
  await t.throwsAsync(fetch(`${listener.url}/headers`))
  await t.throwsAsync(testStreams({} as never, { hub }), { instanceOf: TypeError, message: /`app`/ })
  await t.throwsAsync(testStreams(app, { hub: {} as never }), { instanceOf: TypeError, message: /`hub`/ })
})
