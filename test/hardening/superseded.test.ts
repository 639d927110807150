// The limit `over: 'oldest'`, in one process and over instances: who is superseded, when, and who is not.
import { connect } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { AuthenticationError, memoryBroker, type Authenticator } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { PATIENCE } from '../support/progress.ts'
import { byName, HeldResolver, openEndpoint, REQUEST, type StreamOptions } from '../koa/endpoint.ts'
import type { OpenOptions } from '../support/http.ts'
import { Pause } from '../support/pause.ts'
import { Random } from '../support/random.ts'
import { openInstances } from './places.ts'

const OLDEST = { most: 2, over: 'oldest' } as const
const LAST_BLOCK = /retry: 3600000\nevent: goaway\ndata: {"reason":"superseded"}\n\n$/

test('one stream more takes the place of the oldest, which is told to stay away; others are unharmed', async t => {
  const { hub, open, story, tells, isEmpty } = await openEndpoint(t, { limits: { identity: OLDEST } })
  const other = await open({ headers: { 'x-user': 'ben' } })
  const [first, second, third] = [await open(), await open(), await open()]
  t.regex(await first.text(), LAST_BLOCK)
  t.is(await first.closed, 'end')
  await tells('close superseded')
  await hub.publish('news', { data: 'unharmed' })
  for (const stream of [second, third, other]) {
    t.like(await stream.next(({ event }) => event === 'message'), { data: 'unharmed' })
  }
  t.is(hub.stats().closed.superseded, 1)
  t.deepEqual(story, ['open', 'open', 'open', 'open', 'close superseded'])
  for (const stream of [second, third, other]) stream.close()
  await isEmpty()
})

test('what was sent to the oldest before goes out first', async t => {
  const subscribe: StreamOptions['subscribe'] = async stream => {
    await stream.send({ data: 'x'.repeat(100_000) })
    return 'news'
  }
  const { open } = await openEndpoint(t, { subscribe, limits: { identity: { most: 1, over: 'oldest' } } })
  const first = await open()
  await open()
  const text = await first.text()
  t.true(text.includes('x'.repeat(100_000)))
  t.regex(text, LAST_BLOCK)
})

test('a POST is told no time to come back', async t => {
  const { open } = await openEndpoint(t, { limits: { identity: { most: 1, over: 'oldest' } } })
  const first = await open({ method: 'POST' })
  await open()
  const text = await first.text()
  t.regex(text, /event: goaway\ndata: {"reason":"superseded"}\n\n$/)
  t.notRegex(text, /retry/)
})

for (const [overload, status] of [
  ['postpone', 200],
  ['reject', 429],
] as const) {
  test(`a stream that is superseded before it began is turned away: ${overload}`, async t => {
    const { subscribe, asked, answer } = new HeldResolver()
    let calls = 0
    const { open, story } = await openEndpoint(t, {
      overload,
      limits: { identity: OLDEST },
      subscribe: (stream, ctx) => ((calls += 1) === 1 ? subscribe(stream, ctx) : 'news'),
    })
    const opening = open()
    await asked
    const later = [await open(), await open()]
    answer('news')
    const refused = await opening
    t.is(refused.status, status)
    const text = await refused.text()
    if (overload === 'postpone') t.regex(text, LAST_BLOCK)
    else t.is(refused.headers['retry-after'], '3600')
    t.deepEqual(story, ['open', 'open', `refuse superseded ${status}`])
    for (const stream of later) t.is((await stream.next()).event, 'cursor')
  })
}

const COMES_TO_NOTHING: readonly [number, OpenOptions, StreamOptions['subscribe']?][] = [
  [403, {}, (_, ctx) => ctx.throw(403)],
  [204, {}, () => null],
  [204, { headers: { 'last-event-id': '~done' } }],
  [401, { headers: { 'x-credentials': 'used' } }],
  [401, { headers: { 'x-credentials': 'ended' } }],
]

for (const where of ['in this process', 'on all instances']) {
  test(`what gets no stream itself takes nobody’s place: ${where}`, async t => {
    let refusing: StreamOptions['subscribe']
    const authenticate: Authenticator = {
      ...byName,
      redeem: ctx => {
        if (ctx.get('x-credentials') === 'used') throw new AuthenticationError('rejected', 'used by another')
      },
      authenticate: ctx => ({
        id: 'ann',
        scheme: 'name',
        ...(ctx.get('x-credentials') === 'ended' && { token: 'ended' }),
      }),
      revalidation: { interval: 60_000, grace: 0, holds: ({ token }) => token === undefined },
    }
    const options: StreamOptions = {
      authenticate,
      limits: where === 'in this process' ? { identity: OLDEST } : { shared: { identity: OLDEST } },
      subscribe: (stream, ctx) => (refusing === undefined ? 'news' : refusing(stream, ctx)),
    }
    const { open, hub, story } = await openEndpoint(t, options, { expectsErrors: true })
    const living = [await open(), await open()]
    for (const [status, options, subscribe] of COMES_TO_NOTHING) {
      refusing = subscribe
      for (let times = 0; times < 3; times += 1) t.is((await open(options)).status, status)
    }
    await hub.publish('news', { data: 'unharmed' })
    for (const stream of living) t.like(await stream.next(({ event }) => event === 'message'), { data: 'unharmed' })
    t.false(story.includes('close superseded'))
    refusing = undefined
    const third = await open()
    t.regex((await living[0]?.text()) ?? '', LAST_BLOCK)
    t.is((await third.next()).event, 'cursor')
  })
}

for (const limits of [{ identity: true }, { shared: true }, { identity: true, shared: true }]) {
  test(`of sixty that open at once on two instances the bound holds: ${Object.keys(limits).join(' and ')}`, async t => {
    const instances = await openInstances(t)
    const random = new Random(7)
    const subscribe = async () => {
      await new Promise(resolve => setTimeout(resolve, random.between(0, 40)))
      return 'news'
    }
    const limit = { most: 3, over: 'oldest' } as const
    const most = 'shared' in limits ? limit : 1_000
    const options: StreamOptions = {
      subscribe,
      overload: 'postpone',
      ...('identity' in limits && { limits: { identity: limit } }),
    }
    const sites = [await instances.open(most, options), await instances.open(most, options)]
    const opening = Array.from({ length: 60 }, async (_, n) => {
      for (;;) {
        const stream = await sites[n % 2]?.open()
        // Of those that open at once as many as may be open are let in. The others come back.
        if (stream?.headers['content-length'] === undefined) return stream
        await new Promise(resolve => setTimeout(resolve, random.between(5, 40)))
      }
    })
    const streams = await Promise.all(opening)
    const bound = 'shared' in limits ? 3 : 6
    const left = () => sites.reduce((sum, { hub }) => sum + hub.stats().streams, 0)
    await eventually(
      () => left() === bound,
      () => `${left()} streams are left`,
    )
    const ends: string[] = []
    for (const stream of streams) void stream?.text().then(text => ends.push(text))
    await eventually(
      () => ends.length === 60 - bound,
      () => `${ends.length} streams have ended`,
    )
    for (const end of ends) t.regex(end, LAST_BLOCK)
    if ('shared' in limits) await instances.haveTaken(3)
    for (const stream of streams) stream?.close()
  })
}

test('of those that have not opened there are no more than may be open: the newest comes back, and the others are unharmed', async t => {
  const { subscribe, asked, answer } = new HeldResolver()
  let resolvers = 0
  let isHeld = false
  const { hub, open, story, isEmpty } = await openEndpoint(t, {
    limits: { identity: OLDEST, timeout: PATIENCE },
    subscribe: (stream, ctx) => {
      resolvers += 1
      return isHeld ? subscribe(stream, ctx) : 'news'
    },
  })
  const living = [await open(), await open()]
  isHeld = true
  const opening = [open(), open()]
  await asked
  await eventually(
    () => hub.stats().streams === 4,
    () => `${hub.stats().streams} streams hold a place`,
  )
  for (let n = 0; n < 5; n += 1) {
    t.regex(await (await open()).text(), /^retry: \d{4}\nevent: goaway\ndata: {"reason":"overload"}\n\n$/)
    t.is((await open({ method: 'HEAD' })).status, 200)
  }
  t.is(resolvers, 4)
  t.is(hub.stats().streams, 4)
  t.false(story.includes('close superseded'))
  await hub.publish('news', { data: 'unharmed' })
  for (const stream of living) t.like(await stream.next(({ event }) => event === 'message'), { data: 'unharmed' })
  t.is((await open({ headers: { 'x-user': 'ben' }, method: 'HEAD' })).status, 200)
  answer('news')
  for (const stream of await Promise.all(opening)) t.like(await stream.next(), { data: 'unharmed' })
  for (const stream of living) t.regex(await stream.text(), LAST_BLOCK)
  for (const stream of await Promise.all(opening)) stream.close()
  await isEmpty()
})

test('who hangs up while the store is asked leaves nobody a place that the store has counted out', async t => {
  const broker = memoryBroker()
  const pause = new Pause()
  const { leases } = broker
  const supersede = leases.supersede.bind(leases)
  let isHeld = false
  leases.supersede = async (...args) => {
    const answer = await supersede(...args)
    if (isHeld) await pause.wait()
    return answer
  }
  const { hub, port, open, isEmpty } = await openEndpoint(
    t,
    { limits: { shared: { identity: OLDEST } } },
    { hub: { broker } },
  )
  const living = [await open(), await open()]
  isHeld = true
  const socket = connect(port, '127.0.0.1')
  socket.write(REQUEST)
  await pause.reached
  socket.destroy()
  await eventually(
    () => hub.stats().streams === 2,
    () => `${hub.stats().streams} streams, where one has left`,
  )
  isHeld = false
  pause.end()
  t.regex((await living[0]?.text()) ?? '', LAST_BLOCK)
  const third = await open()
  await third.next()
  t.is(hub.stats().streams, 2)
  living[1]?.close()
  third.close()
  await isEmpty()
})

test('HEAD takes nobody’s place', async t => {
  const { hub, open } = await openEndpoint(t, { limits: { identity: { most: 1, over: 'oldest' } } })
  await (await open()).next()
  t.is((await open({ method: 'HEAD' })).status, 200)
  t.is(hub.stats().closed.superseded, 0)
})

test('streams that nobody reads are cut before they are too many again', async t => {
  const options: StreamOptions = {
    limits: { identity: OLDEST },
    buffer: { bytes: 16_777_216 },
    subscribe: async stream => {
      await stream.send({ data: 'x'.repeat(8_000_000) })
      return 'news'
    },
  }
  const { hub, port, tells, isEmpty } = await openEndpoint(t, options, { hub: { maxEventBytes: 9_000_000 } })
  const sockets = Array.from({ length: 12 }, () => connect(port, '127.0.0.1'))
  for (const socket of sockets) {
    const { opened } = hub.stats()
    // The end of the last ones is that of a connection which has been cut.
    socket.on('error', () => undefined)
    socket.pause()
    socket.write(REQUEST)
    await eventually(
      () => hub.stats().opened > opened,
      () => 'no stream was opened',
    )
  }
  await tells('close superseded')
  t.true(hub.stats().streams <= 4, `${hub.stats().streams} streams are left`)
  for (const socket of sockets) socket.destroy()
  await isEmpty()
})

/** A stream on each of two instances, one after the other: the identity has no place left. */
async function openTwoPlaces(t: ExecutionContext) {
  const instances = await openInstances(t)
  const [one, other] = [await instances.open(OLDEST), await instances.open(OLDEST)]
  const first = await one.open()
  await first.next()
  const second = await other.open()
  await second.next()
  return { instances, one, other, first, second }
}

test('over instances the oldest stream gives way, wherever it is', async t => {
  const { instances, one, other, first, second } = await openTwoPlaces(t)
  const ben = await one.open({ headers: { 'x-user': 'ben' } })
  const third = await other.open()
  t.regex(await first.text(), LAST_BLOCK)
  await one.tells('close superseded')
  t.is(await instances.taken(), 2)
  // Of its own instance it is closed without a message.
  const fourth = await other.open()
  t.regex(await second.text(), LAST_BLOCK)
  await other.hub.publish('news', { data: 'unharmed' })
  for (const stream of [third, fourth, ben]) {
    t.like(await stream.next(({ event }) => event === 'message'), { data: 'unharmed' })
  }
  t.deepEqual(
    [one, other].map(({ story }) => story.filter(word => word.startsWith('fault'))),
    [[], []],
  )
  third.close()
  await instances.haveTaken(1)
})

test('a place keeps its age when it is renewed', async t => {
  const { instances, one, other, first } = await openTwoPlaces(t)
  await instances.elapse(20_000)
  for (const { clock } of [one, other]) clock.advance(21_000)
  await eventually(
    async () => (await instances.left()) > 55_000,
    () => 'the places were not renewed',
  )
  await one.open()
  t.regex(await first.text(), LAST_BLOCK)
  t.is(other.hub.stats().streams, 1)
})

test('while places cannot be counted streams open, and none is closed for it', async t => {
  const instances = await openInstances(t)
  const { open, story } = await instances.open({ most: 1, over: 'oldest' })
  await (await open()).next()
  await instances.admin.acl('SETUSER', 'default', '-zadd', '-zremrangebyscore')
  t.is((await (await open()).next()).event, 'cursor')
  t.deepEqual(story, ['open', 'fault lease', 'open'])
})
