// The operators' page by its routes, always on the same kind of site; its browser tests are in test/browser.
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { get } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import Koa from 'koa'
import mount from 'koa-mount'
import { createHub } from 'koa-event-stream'
import { opsRoutes, type OpsAction } from 'koa-event-stream/ops'
import { check } from 'prettier'
import { ARRIVAL } from '../../lib/diagnostics.ts'
import { checkHub } from '../../lib/koa/door-config.ts'
import { Activity } from '../../lib/ops/activity.ts'
import { HTML } from '../../lib/ops/page/html.ts'
import { SCRIPT } from '../../lib/ops/page/script.ts'
import { STYLE } from '../../lib/ops/page/style.ts'
import { eventually } from '../support/eventually.ts'
import { openStream, raw, serve, type ReceivedStream } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { entriesOf, list, login, openOps, overviewThat, SESSION, TOKEN, tracedInOrder } from './site.ts'

const CHANNELS = ['arrival', 'sent', 'refusal'].map(name => channel(`koa-event-stream.${name}`))
const isAnyListening = (): boolean => CHANNELS.some(({ hasSubscribers }) => hasSubscribers)

// By itself: channels are those of the whole process.
test.serial('while nobody looks, nothing is subscribed to and no timer runs', async t => {
  const clock = new ManualClock(Date.now())
  const site = await openOps(t, { hub: { clock } })
  const { stream } = await site.open('ann')
  const before = clock.pending
  t.false(isAnyListening())

  const [page, trace] = [await site.watch('events'), await site.watch('trace?identity=ann')]
  await overviewThat(page, () => true)
  await tracedInOrder(trace, ['is open'])
  t.true(isAnyListening())
  page.close()
  trace.close()
  await eventually(
    () => site.hub.stats().streams === 1,
    () => 'the page has not left',
  )
  clock.advance(60_000)
  t.false(isAnyListening())
  await eventually(
    () => clock.pending === before,
    () => `${clock.pending} timers, ${before} before`,
  )
  stream.close()
})

test('a page, a script and a style come from one route, with nothing inline and in nobody’s frame', async t => {
  const site = await openOps(t)
  const entry = await fetch(`${site.url}/ops`, { headers: { 'x-user': 'admin' }, redirect: 'manual' })
  t.is(entry.status, 302)
  t.is(entry.headers.get('location'), './ops/')
  for (const [path, type] of [
    ['', 'text/html'],
    ['ops.js', 'text/javascript'],
    ['ops.css', 'text/css'],
  ] as const) {
    const response = await site.get(path)
    t.is(response.status, 200)
    t.true(response.headers.get('content-type')?.startsWith(type))
    t.is(response.headers.get('cache-control'), 'no-store')
    const policy = response.headers.get('content-security-policy') ?? ''
    t.regex(policy, /script-src 'self';.*frame-ancestors 'none'/)
    t.notRegex(policy, /unsafe|nonce|\*/)
  }
  t.notRegex(HTML, /<script(?![^>]* src=)|<style| style=| on\w+=/)
  for (const [text, parser] of [
    [SCRIPT, 'babel'],
    [STYLE, 'css'],
  ] as const) {
    t.true(await check(text, { parser, printWidth: 120, semi: false, singleQuote: true, arrowParens: 'avoid' }), parser)
  }
})

test('it is mounted by koa-mount as well, and leads nobody to another site', async t => {
  const hub = createHub()
  t.teardown(() => hub.close())
  const routes = opsRoutes({ hub, authenticate: login(), may: () => true })
  const app = new Koa().use(mount('/admin/ops', routes)).use(routes)
  const { url } = await serve(app, t)
  const get = (path: string) => fetch(url + path, { headers: { 'x-user': 'admin' }, redirect: 'manual' })
  t.is((await get('/admin/ops')).headers.get('location'), './ops/')
  t.is((await get('/admin/ops/')).status, 200)
  t.is((await get('/admin/ops/ops.js')).status, 200)
  t.like(await (await get('/admin/ops/streams')).json(), { streams: [], next: null, complete: true })
  t.is((await get('//evil.example')).headers.get('location'), './evil.example/')
})

test('what is missing or wrong is told at start-up', t => {
  const hub = createHub()
  t.teardown(() => hub.close())
  const make = (options: object) => () => opsRoutes({ hub, authenticate: login(), ...options } as never)
  t.throws(make({}), { instanceOf: TypeError, message: /`may` must be a function/ })
  t.throws(make({ may: () => true, evenData: true }), { message: /no option `evenData`/ })
  t.throws(make({ may: () => true, eventData: 'yes' }), { message: /`eventData` must be true or false/ })
  t.throws(make({ may: () => true, authenticate: false }), { message: /authenticate/ })
})

const ACTIONS: readonly OpsAction[] = [
  { type: 'cut', stream: 'none' },
  { type: 'disconnect', identity: 'nobody' },
  { type: 'drain', instance: 'none' },
]
const PATHS = ['', 'ops.js', 'ops.css', 'streams', 'events', 'trace?identity=ann']

test('nobody gets in without a login, nor with one that `may` denies, whatever it answers but true', async t => {
  for (const answer of [false, undefined, 'yes', 1, {}, Promise.resolve('true')]) {
    const site = await openOps(t, { may: () => answer })
    for (const path of PATHS) {
      t.is((await fetch(`${site.url}/ops/${path}`, { headers: { connection: 'close' } })).status, 401)
      t.is((await site.get(path, { 'x-user': '', accept: 'text/event-stream' })).status, 401)
      t.is((await site.get(path, { accept: 'text/event-stream' })).status, 403, path)
    }
    for (const action of ACTIONS) {
      t.is((await site.post(action, { 'x-user': '' })).status, 401)
      t.deepEqual(await site.post(action), { status: 403, body: { error: `not allowed to ${action.type}` } })
    }
    t.is(site.hub.ready, true)
  }
})

test('each action is asked about at its moment, and one right is none to another', async t => {
  const site = await openOps(t, { may: ({ type }) => type === 'cut' })
  t.is((await site.post(ACTIONS[0])).status, 404)
  t.is((await site.post(ACTIONS[1])).status, 403)
  t.is((await site.post(ACTIONS[2])).status, 403)
  t.deepEqual(site.asked, ACTIONS)
  t.is((await site.get('streams')).status, 403)
  t.is((await site.watch('trace?identity=ann')).status, 403)
  t.deepEqual(site.asked.at(-1), { type: 'trace', identity: 'ann' })
})

test('a `may` that throws, or takes too long, is no permission, and a fault', async t => {
  const clock = new ManualClock(Date.now())
  const throwing = await openOps(t, {
    may: () => {
      throw new Error(`the directory refused ${TOKEN}`)
    },
  })
  const hanging = await openOps(t, { hub: { clock }, may: () => new Promise(() => undefined) })
  for (const site of [throwing, hanging]) {
    const requests = [site.get(''), site.get('streams'), site.watch('events'), site.watch('trace?identity=ann')]
    const posts = ACTIONS.map(action => site.post(action))
    await eventually(
      () => site.asked.length === requests.length + posts.length,
      () => `${site.asked.length} asked`,
    )
    clock.advance(10_000)
    for (const { status } of await Promise.all([...requests, ...posts])) t.is(status, 503)
    t.is(site.faults.filter(({ during }) => during === 'may').length, requests.length + posts.length)
  }
  t.notRegex(throwing.faults.map(({ error }) => String(error)).join(), new RegExp(TOKEN))
})

test('a login that ends while `may` is asked sees nothing', async t => {
  const site = await openOps(t, {
    may: async () => {
      await site.hub.disconnect({ identity: 'admin' }, 'logout')
      return true
    },
  })
  await site.open('ann')
  for (const path of ['', 'ops.js', 'streams']) {
    const response = await site.get(path)
    t.is(response.status, 401, path)
    t.notRegex(await response.text(), /ann|<html|import/)
  }
})

test('whoever loses the right while the page is open is told so', async t => {
  const clock = new ManualClock(Date.now())
  let isAllowed: unknown = true
  const site = await openOps(t, { hub: { clock }, may: () => isAllowed })
  const [page, trace] = [await site.watch('events'), await site.watch('trace?identity=ann')]
  await overviewThat(page, () => true)
  await trace.next(({ event }) => event === 'trace')
  isAllowed = false
  clock.advance(2_000)
  for (const stream of [page, trace]) {
    t.is((await stream.next(({ event }) => event === 'goaway')).data, '{"reason":"revoked"}')
    t.is(await stream.closed, 'end')
  }
})

test('another site’s page, and what is no JSON, changes nothing', async t => {
  const site = await openOps(t, { authenticate: login({ ambient: true }) })
  const { id } = await site.open('ann')
  const cut = { type: 'cut', stream: id }
  for (const headers of [
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', origin: site.url },
    { origin: 'null' },
  ]) {
    t.is((await site.post(cut, headers as Record<string, string>)).status, 403)
    t.is((await site.get('streams', headers as Record<string, string>)).status, 403)
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    t.is((await site.post(cut, { 'content-type': type })).status, 415)
  }
  t.deepEqual(site.asked, [])
  for (const junk of [[], null, {}, { type: 'view' }, { type: 'cut' }, { type: 'cut', stream: 'x'.repeat(1_025) }]) {
    t.is((await site.post(junk)).status, 400)
  }
  t.is((await site.post({ type: 'cut', stream: id, more: 'x'.repeat(9_000) })).status, 413)
  t.is((await site.get('actions')).status, 405)
  t.is((await fetch(`${site.url}/ops/streams`, { method: 'DELETE' })).status, 405)
  t.is(site.hub.stats().streams, 1)
  t.deepEqual(await site.post(cut, { 'sec-fetch-site': 'same-origin', origin: site.url }), {
    status: 200,
    body: { done: true },
  })
})

test('streams are cut and identities disconnected, whose clients are told so; an instance is drained', async t => {
  const site = await openOps(t)
  const [ann, ben, cay] = [await site.open('ann'), await site.open('ben'), await site.open('cay')]
  t.is((await site.post({ type: 'cut', stream: ann.id })).status, 200)
  t.is((await ann.stream.next(({ event }) => event === 'goaway')).data, '{"reason":"server"}')
  t.is((await site.post({ type: 'cut', stream: ann.id })).status, 404)
  t.is((await site.post({ type: 'disconnect', identity: 'ben' })).status, 200)
  t.is((await ben.stream.next(({ event }) => event === 'goaway')).data, '{"reason":"server"}')
  const page = await site.watch('events')
  const { instances } = await overviewThat(page, () => true)
  t.is(instances.length, 1)
  t.is((await site.post({ type: 'drain', instance: 'another' })).status, 404)
  t.is((await site.post({ type: 'drain', instance: instances[0]?.instance })).status, 200)
  t.is((await cay.stream.next(({ event }) => event === 'goaway')).data, '{"reason":"drain"}')
  t.is(await page.closed, 'end')
  t.false(site.hub.ready)
})

test('the page shows topics by their streams, what is published to them, and who reads slowly', async t => {
  const clock = new ManualClock(Date.now())
  const site = await openOps(t, { hub: { clock } })
  await site.open('ann', 'news,board')
  await site.open('ben', 'news')
  const page = await site.watch('events')
  const first = await overviewThat(page, () => true)
  t.deepEqual(first.topics, [
    { topic: 'news', streams: 2, rate: null },
    { topic: 'board', streams: 1, rate: null },
  ])
  for (let n = 0; n < 4; n += 1) await site.hub.publish('board', { data: n })
  clock.advance(2_000)
  const { topics } = await overviewThat(page, () => true)
  t.like(topics, [
    { topic: 'news', rate: 0 },
    { topic: 'board', rate: 2 },
  ])
})

test('topics whose names begin alike are not added up', async t => {
  const site = await openOps(t)
  const start = `tenant:${'a'.repeat(100)}:`
  await site.open('ann', `${start}orders`)
  await site.open('ben', `${start}salaries`)
  const { topics } = await overviewThat(await site.watch('events'), () => true)
  t.deepEqual(
    topics.map(({ topic, streams }) => [topic, streams]),
    Array.from({ length: 2 }, () => [`${start.slice(0, 100)}…`, 1]),
  )
})

test('the page opens where its operator has as many streams as anybody may', async t => {
  const site = await openOps(t)
  for (let n = 0; n < 20; n += 1) await site.open('admin')
  const refused = await openStream(`${site.url}/events?topics=news`, { headers: { 'x-user': 'admin' } })
  t.is((await refused.next()).event, 'goaway')
  const { instances } = await overviewThat(await site.watch('events'), () => true)
  t.is(instances[0]?.streams, 21)
  await tracedInOrder(await site.watch('trace?identity=admin'), ['is open'])
})

test('a client that does not read is among the slow readers until it has gone', async t => {
  const site = await openOps(t)
  const { port } = new URL(site.url)
  const stalled = await raw(Number(port), 'GET /events?topics=news HTTP/1.1\r\nHost: localhost\r\nX-User: ann\r\n\r\n')
  await stalled.until('event: cursor')
  stalled.pause()
  const ben = await site.open('ben')
  const page = await site.watch('events')
  t.deepEqual((await overviewThat(page, () => true)).slow, [])
  while (site.hub.stats().bufferedBytes === 0) {
    const id = await site.hub.publish('news', { data: 'x'.repeat(100_000) })
    await ben.stream.next(event => event.id === id)
  }
  const { slow } = await overviewThat(page, seen => seen.slow.length > 0)
  t.is(slow.length, 1)
  t.like(slow[0], { identity: 'ann', topics: 1, names: ['news'] })
  t.true((slow[0]?.buffered ?? 0) > 0)
  stalled.close()
  await overviewThat(page, seen => seen.slow.length === 0)
})

test('who is connected comes in pages of fifty, each once, and is searched by identity and stream', async t => {
  const site = await openOps(t)
  const users = Array.from({ length: 55 }, (_, n) => `user-${String(n).padStart(2, '0')}`)
  const opened = await Promise.all(users.map(user => site.open(user)))
  const first = await list(site)
  t.is(first.streams.length, 50)
  const second = await list(site, `after=${encodeURIComponent(JSON.stringify(first.next))}`)
  t.is(second.next, null)
  t.deepEqual(
    [...first.streams, ...second.streams].map(({ identity }) => identity),
    users,
  )
  t.deepEqual(
    (await list(site, 'search=ser-07')).streams.map(({ identity }) => identity),
    ['user-07'],
  )
  t.deepEqual(
    (await list(site, `search=${opened[3]?.id}`)).streams.map(({ identity }) => identity),
    ['user-03'],
  )
  t.deepEqual((await list(site, 'search=nobody')).streams, [])
  for (const query of [`search=${'x'.repeat(201)}`, 'search=a&search=b', 'after=junk', 'after=[1]', 'after={}']) {
    t.is((await site.get(`streams?${query}`)).status, 400, query)
  }
})

test('the trace of an identity tells of its streams for a minute, and of nobody else’s', async t => {
  const clock = new ManualClock(Date.now())
  const site = await openOps(t, { hub: { clock } })
  const { stream, id } = await site.open('ann')
  await site.open('ben')
  const began = clock.monotonic()
  const trace = await site.watch('trace?identity=ann')
  await tracedInOrder(trace, ['is open'])
  const cursor = await site.hub.publish('news', { event: 'headline', data: 'classified' })
  const frameBytes = `id: ${cursor}\nevent: headline\ndata: classified\n\n`.length
  await stream.next(({ event }) => event === 'headline')
  const refused = site.open('ann', 'none')
  await t.throwsAsync(refused)
  await site.post({ type: 'cut', stream: id })
  await stream.closed
  clock.advance(1_000)
  const entries = await tracedInOrder(trace, ['is open', 'event', 'refused', 'closed'])
  t.like(entries[1], { stream: id, topics: ['news'], event: 'headline' })
  t.is(entries[1]?.bytes, frameBytes)
  t.like(entries[2], { reason: 'resolver', status: 403 })
  t.like(entries[3], { stream: id, reason: 'server' })
  t.is(entries.length, 4)
  const looks = () => trace.received.filter(({ event }) => event === 'trace').length
  const hasEnded = () => trace.received.at(-1)?.event === 'goaway'
  while (!hasEnded() && clock.monotonic() < began + 70_000) {
    const before = looks()
    clock.advance(1_000)
    await eventually(
      () => hasEnded() || looks() > before,
      () => `${clock.monotonic() - began} ms have passed`,
    )
    if (clock.monotonic() >= began + 60_000) await trace.closed
  }
  t.is(trace.received.at(-1)?.data, '{"reason":"done"}')
  t.is(clock.monotonic() - began, 60_000)
})

test('a trace shows what events say only where the application has asked for it', async t => {
  for (const eventData of [false, true]) {
    const site = await openOps(t, { eventData })
    const { stream } = await site.open('ann')
    const trace = await site.watch('trace?identity=ann')
    await tracedInOrder(trace, ['is open'])
    await site.hub.publish('news', { data: `classified${'x'.repeat(5_000)}` })
    await stream.next(({ event }) => event === 'message')
    const [, event] = await tracedInOrder(trace, ['is open', 'event'])
    t.is(event?.data, eventData ? `classified${'x'.repeat(1_014)}` : undefined)
  }
})

test('a trace that has too much to tell is cut short, and there are five at once', async t => {
  const clock = new ManualClock(Date.now())
  const site = await openOps(t, { hub: { clock } })
  const { stream } = await site.open('ann')
  const traces = []
  for (let n = 0; n < 5; n += 1) traces.push(await site.watch('trace?identity=ann'))
  const sixth = await site.watch('trace?identity=ann')
  t.is(sixth.status, 503)
  t.regex(await sixth.text(), /too many of these are open/)
  const [trace] = traces
  if (trace === undefined) throw new Error('no trace')
  await tracedInOrder(trace, ['is open'])
  for (let n = 0; n < 700; n += 1) await site.hub.publish('news', { data: n })
  await stream.next(({ data }) => data === '699')
  clock.advance(1_000)
  const { data } = await trace.next(({ event, data: text }) => event === 'trace' && text.includes('"event"'))
  const { entries, dropped } = JSON.parse(data) as { entries: unknown[]; dropped: number }
  t.is(entries.length, 100)
  t.true(dropped >= 200)
  t.true(entriesOf(trace).length <= 102)
})

test('no secret of a login, no address and no event is in any byte of it', async t => {
  const site = await openOps(t)
  const ann = await site.open('ann', 'news,secret-free')
  const [page, trace] = [await site.watch('events'), await site.watch('trace?identity=ann')]
  await tracedInOrder(trace, ['is open'])
  await site.hub.publish('news', { data: 'classified' })
  await ann.stream.next(({ event }) => event === 'message')
  await tracedInOrder(trace, ['is open', 'event'])
  await overviewThat(page, () => true)
  const bodies = await Promise.all([
    ...PATHS.slice(0, 4).map(async path => (await site.get(path)).text()),
    ...ACTIONS.map(async action => JSON.stringify(await site.post(action))),
  ])
  const all = [...bodies, JSON.stringify(page.received), JSON.stringify(trace.received)].join('\n')
  t.true(all.includes(ann.id))
  for (const secret of [SESSION, TOKEN, '127.0.0.1', '::1', 'classified']) t.false(all.includes(secret), secret)
})

test('however many pages are open, an instance looks at its topics and streams once a second at most', async t => {
  const clock = new ManualClock(Date.now())
  const site = await openOps(t, { hub: { clock } })
  const { inspection } = checkHub(site.hub)
  const eachTopic = inspection.eachTopic.bind(inspection)
  let looks = 0
  inspection.eachTopic = visit => {
    looks += 1
    eachTopic(visit)
  }
  const pages: ReceivedStream[] = []
  for (let n = 0; n < 10; n += 1) {
    pages.push(await site.watch('events'))
    clock.advance(10)
  }
  for (const page of pages) await overviewThat(page, () => true)
  t.is(looks, 1)
  clock.advance(2_000)
  for (const page of pages) await page.next(({ event }) => event === 'overview')
  t.is(looks, 2)

  const eachStream = inspection.eachStream.bind(inspection)
  looks = 0
  inspection.eachStream = visit => {
    looks += 1
    eachStream(visit)
  }
  const listAll = () => Promise.all(pages.map(() => list(site, 'search=admin')))
  for (const { streams } of await listAll()) t.is(streams.length, 10)
  t.is(looks, 1)
  clock.advance(1_000)
  await listAll()
  t.is(looks, 2)
  // A part of its own, and what has been done to the first one is seen at once.
  const [one] = (await list(site, 'search=a')).streams
  t.is(looks, 3)
  t.is((await site.post({ type: 'cut', stream: one?.id })).status, 200)
  t.is((await list(site, 'search=a')).streams.length, 9)
})

test('a trace that begins anew on an instance tells all of it, behind what is known', async t => {
  const site = await openOps(t)
  const { id } = await site.open('ann')
  const { surveys, instances } = checkHub(site.hub)
  const question = { ask: 'trace', trace: 'one', identity: 'ann', known: { [instances.id]: 57 }, data: false }
  const { answers } = await surveys.ask('ops', question, { within: 60_000 })
  t.like(answers.get(instances.id), { entries: [{ n: 58, what: 'is open', stream: id }] })
})

test.serial('a trace keeps no more of an event than it shows', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const used = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const site = await openOps(t, {
    eventData: true,
    hub: { clock: new ManualClock(Date.now()), maxEventBytes: 1_048_576 },
  })
  const ann = get(`${site.url}/events?topics=news`, { headers: { 'x-user': 'ann' } }, answer => answer.resume())
  t.teardown(() => ann.destroy())
  await once(ann, 'response')
  const trace = await site.watch('trace?identity=ann')
  await tracedInOrder(trace, ['is open'])
  const before = used()
  for (let n = 0; n < 100; n += 1) {
    await site.hub.publish('news', { event: `a-name-that-is-long-${n}`, data: 'x'.repeat(500_000) })
    await eventually(
      () => site.hub.stats().delivered > n,
      () => `event ${n} was not delivered`,
    )
  }
  t.true(used() - before < 25_000_000)
})

test('the rate of a topic that could not be counted is not known, and not 0', t => {
  const clock = new ManualClock(Date.now())
  const hub = createHub({ clock })
  t.teardown(() => hub.close())
  const activity = new Activity(checkHub(hub))
  activity.look()
  const topics = Array.from({ length: 10_000 }, (_, n) => `topic:${n}`)
  ARRIVAL.publish({ hub, topics: [...topics, 'crowd'], lag: 0 })
  clock.advance(2_000)
  t.is(activity.rateOf('topic:9'), 0.5)
  t.is(activity.rateOf('crowd'), null)
})
