// `subscriptions()` in a page: the tests share a page with a stream from a real server.
import { json } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import Koa, { type Context } from 'koa'
import { createHub, createIdentity, eventStream, subscriptionRoute, type Authenticator } from 'koa-event-stream'
import { connect, type LoadReason } from 'koa-event-stream/client'
import { subscriptions, type LiveStream, type SubscriptionsOptions } from 'koa-event-stream/client/subscriptions'
import type { Arrival } from '../../lib/wire/notices.ts'
import { eventually } from '../support/eventually.ts'
import { serve } from '../support/http.ts'
import { Progress } from '../support/progress.ts'

const authenticate: Authenticator = {
  scheme: 'key',
  challenge: 'Key realm="events"',
  ambient: false,
  authenticate: ctx =>
    ctx.get('x-user') === '' ? undefined : createIdentity({ id: ctx.get('x-user'), scheme: 'key' }),
}
const headers = { 'x-user': 'ann' }

interface Events {
  said: string
}

/** A page that has a stream, in front of a real server. `route` may answer in place of the library's. */
async function openPage(t: ExecutionContext, route: (ctx: Context) => boolean = () => false) {
  const hub = createHub()
  t.teardown(() => hub.close())
  hub.on('refuse', () => undefined)
  const wishes: { subscribe: string[]; unsubscribe: string[]; seen: string }[] = []
  const topics = ['base']
  const app = new Koa()
  app.on('error', error => t.fail(String(error)))
  const events = eventStream({ hub, authenticate, retry: 500, subscribe: () => topics })
  const change = subscriptionRoute({
    hub,
    authenticate,
    may: (_, { subscribe, unsubscribe }) => {
      wishes.push({ subscribe: [...subscribe], unsubscribe: [...unsubscribe], seen: '' })
      return !subscribe.includes('secret')
    },
  })
  let before = Promise.resolve()
  app.use(async (ctx, next) => {
    if (ctx.path === '/events') {
      await before
      await events(ctx)
    } else if (!route(ctx)) await change(ctx, next)
  })
  const { url } = await serve(app, t)
  const progress = new Progress()
  const told: string[] = []
  const note = (what: string) => {
    told.push(what)
    progress.announce()
  }
  const faults: unknown[] = []
  const live = connect<Events>(`${url}/events`, {
    headers,
    load: (why: LoadReason) => note(why.reason === 'start' ? 'start' : `${why.reason} of ${why.topics.join()}`),
    onState: state => note(state),
  })
  t.teardown(() => live.close())
  live.on('said', data => note(data))
  return {
    hub,
    live,
    told,
    wishes,
    topics,
    faults,
    page: subscriptions(live, `${url}/subscriptions`, { headers: () => headers, onError: error => faults.push(error) }),
    say: (topic: string, data: string) => hub.publish(topic, { event: 'said', data }),
    until: (what: string, count = 1) =>
      progress.until(
        () => told.filter(one => one === what).length >= count || undefined,
        () => `“${what}” was not told ${count} times, but ${told.join('; ')}`,
      ),
    /** Lets no stream open until the answer is called. */
    hold: () => {
      let release = (): void => {}
      before = new Promise(resolve => (release = resolve))
      return release
    },
  }
}

test('a topic is live from the cursor on that is answered, until it is taken away', async t => {
  const { hub, page, say, until, told, wishes } = await openPage(t)
  const [room, hall] = await Promise.all([page.subscribe('room'), page.subscribe('hall')])
  t.is(room.since, await hub.cursor())
  t.is(hall.since, room.since)
  t.deepEqual(await page.subscribe('room'), room)
  await say('room', 'in the room')
  await until('in the room')
  await page.unsubscribe('room')
  await say('room', 'too late')
  await say('hall', 'end')
  await until('end')
  t.false(told.includes('too late'))
  t.deepEqual(
    wishes.map(({ subscribe, unsubscribe }) => [subscribe, unsubscribe]),
    [
      [['room', 'hall'], []],
      [[], ['room']],
    ],
  )
})

test('a topic that is refused rejects, and keeps no other from being live', async t => {
  const { page, say, until } = await openPage(t)
  const [room, secret, hall] = await Promise.allSettled(['room', 'secret', 'hall'].map(topic => page.subscribe(topic)))
  t.is(room?.status, 'fulfilled')
  t.is(hall?.status, 'fulfilled')
  t.like(secret, { status: 'rejected', reason: { name: 'SubscriptionError', status: 403 } })
  await say('hall', 'in the hall')
  await until('in the hall')
})

test('a stream that is opened anew gets the topics again, and what came meanwhile is told as a gap', async t => {
  const { hub, page, say, until, hold, told, live } = await openPage(t)
  await page.subscribe('room')
  await page.subscribe('hall')
  await say('room', 'before')
  await until('before')
  const release = hold()
  await hub.disconnect({ identity: 'ann' })
  await until('waiting')
  await say('room', 'missed')
  await say('base', 'of the resolver')
  release()
  await until('trimmed of room')
  await say('hall', 'after')
  await until('after')
  t.false(told.includes('missed'), 'its id is behind that of what the stream has sent')
  t.true(told.includes('of the resolver'))
  t.deepEqual(
    told.filter(what => what.startsWith('trimmed')),
    ['trimmed of room'],
  )
  live.close()
})

test('a topic that the resolver gives by then brings what came meanwhile, and nothing is told to be missing', async t => {
  const { hub, page, say, until, hold, told, topics } = await openPage(t)
  await page.subscribe('room')
  await say('room', 'before')
  await until('before')
  const release = hold()
  await hub.disconnect({ identity: 'ann' })
  await until('waiting')
  topics.push('room')
  await say('room', 'meanwhile')
  release()
  await until('meanwhile')
  await page.subscribe('hall')
  await say('room', 'after')
  await until('after')
  t.false(told.some(what => what.startsWith('trimmed')))
})

test('a topic that is refused to the next stream is told to the page, and not asked for again', async t => {
  let isAllowed = true
  const { hub, page, until, faults } = await openPage(t, ctx => {
    if (isAllowed) return false
    ctx.status = 403
    return true
  })
  await page.subscribe('room')
  isAllowed = false
  await hub.disconnect({ identity: 'ann' })
  await until('open', 2)
  await eventually(
    () => faults.length > 0,
    () => 'the page is told nothing',
  )
  t.like(faults, [{ status: 403 }])
})

test('while there is no connection, and while the route has no answer, a wish waits', async t => {
  let failures = 0
  const { page, hold, until, hub } = await openPage(t, ctx => {
    // The old stream, which is unknown by then, may be asked for once more before there is a new one.
    if (failures === 3) return false
    failures += 1
    ctx.status = failures === 1 ? 503 : failures === 2 ? 429 : 404
    return true
  })
  await until('open')
  const release = hold()
  await hub.disconnect({ identity: 'ann' })
  await until('waiting')
  const wish = page.subscribe('room')
  release()
  t.is(typeof (await wish).since, 'string')
  t.is(failures, 3)
})

test('a wish that is given up, by its signal or for good, rejects; so do all when the stream ends', async t => {
  const { page, live, hold, hub, until, wishes } = await openPage(t)
  await until('open')
  hold()
  await hub.disconnect({ identity: 'ann' })
  await until('waiting')
  const given = new AbortController()
  const aborted = page.subscribe('room', { signal: given.signal })
  const dropped = page.subscribe('hall')
  const ended = page.subscribe('third')
  given.abort(new Error('left the room'))
  await t.throwsAsync(aborted, { message: 'left the room' })
  void page.unsubscribe('hall').catch(() => undefined)
  await t.throwsAsync(dropped, { name: 'SubscriptionError' })
  live.close()
  await t.throwsAsync(ended, { name: 'SubscriptionError', message: /ended: client/ })
  await t.throwsAsync(page.subscribe('late'), { name: 'SubscriptionError' })
  await page.unsubscribe('late')
  t.deepEqual(wishes, [])
})

/** A page whose stream is where the test says, with a route of its own. */
async function openScripted(
  t: ExecutionContext,
  answer: (topics: readonly string[], count: number) => number,
  options: SubscriptionsOptions = {},
) {
  let count = 0
  const { url } = await serve(async (request, response) => {
    const { subscribe } = (await json(request)) as { subscribe: string[] }
    count += 1
    response.writeHead(answer(subscribe, count), { 'content-type': 'application/json', 'retry-after': '3600' })
    response.end('{"since":"a-1"}')
  }, t)
  let opened: (data: Arrival) => unknown = () => t.fail('nobody listens')
  const live: LiveStream = {
    state: 'open',
    reason: 'stream',
    lastEventId: '',
    on: (_, listener) => (opened = listener),
    addEventListener: () => undefined,
  }
  return {
    page: subscriptions(live, url, options),
    open: (stream: string) => opened({ stream, heartbeat: null }),
    asked: (times: number) =>
      eventually(
        () => count >= times,
        () => `the route was asked ${String(count)} times`,
      ),
  }
}

test('an `onError` that throws keeps no topic from being live', async t => {
  let told = 0
  const onError = () => {
    told += 1
    throw new Error('of the page')
  }
  const { page, open } = await openScripted(t, ([topic], count) => (topic === 'a' && count > 1 ? 403 : 200), {
    onError,
  })
  open('one')
  await page.subscribe('a')
  open('two')
  await eventually(
    () => told > 0,
    () => 'nothing is told',
  )
  t.deepEqual(await page.subscribe('b'), { since: 'a-1' })
})

test('a stream that is opened anew gets its topics at once, however long the one before was to wait', async t => {
  const { page, open, asked } = await openScripted(t, (_, count) => (count === 1 ? 503 : 200))
  open('one')
  const subscribed = page.subscribe('a')
  await asked(1)
  // Nothing tells that the page has read the answer. If it has not, it has not begun to wait either.
  await setTimeout(100)
  open('two')
  t.deepEqual(await subscribed, { since: 'a-1' })
})

test('a function for the headers that hangs does so for its stream alone', async t => {
  let count = 0
  const headers = () => {
    count += 1
    return count === 1 ? new Promise<never>(() => undefined) : {}
  }
  const { page, open } = await openScripted(t, () => 200, { headers })
  open('one')
  const subscribed = page.subscribe('a')
  await eventually(
    () => count === 1,
    () => 'nobody has asked for the headers',
  )
  open('two')
  t.deepEqual(await subscribed, { since: 'a-1' })
})
