import test from 'ava'
import type { EventInput } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { eventually } from '../support/eventually.ts'
import { raw } from '../support/http.ts'
import { byName, HeldResolver, openEndpoint, reasonOf, REQUEST } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

onEveryKoa('what the resolver throws is answered by Koa, and takes no place', async (t, Koa) => {
  const { open, errors, story, isEmpty } = await openEndpoint(
    t,
    {
      subscribe: (_, ctx) => {
        ctx.set('Retry-After', '5')
        if (ctx.query.as === undefined) ctx.throw(403, 'Not for you')
        throw new Error('a secret')
      },
    },
    { Koa, expectsErrors: true },
  )
  const forbidden = await open()
  t.is(forbidden.status, 403)
  t.is(await forbidden.text(), 'Not for you')
  await isEmpty()
  t.deepEqual(story, ['refuse resolver 403'])
  t.is(errors.length, 1)
})

onEveryKoa('junk from the resolver is 500, tells the operator what it was, and takes no place', async (t, Koa) => {
  const junk = [
    42,
    true,
    {},
    new Date(0),
    [1],
    [''],
    ['a\nb'],
    [{ topic: 'a', replay: -1 }],
    { topic: 'a', replay: 1.5 },
    Symbol('x'),
    ['x'.repeat(10_000)],
  ]
  let answer: unknown
  const { open, errors, story, hub, isEmpty } = await openEndpoint(
    t,
    { subscribe: () => answer as never },
    { Koa, expectsErrors: true },
  )
  for (answer of junk) {
    const refused = await open()
    t.is(refused.status, 500)
    t.is(await refused.text(), 'Internal Server Error')
  }
  await isEmpty()
  t.deepEqual(new Set(story), new Set(['refuse resolver 500']))
  t.is(hub.stats().refused.resolver, junk.length)
  t.is(errors.length, junk.length)
})

test('more topics than allowed are refused', async t => {
  const { open, story, hub } = await openEndpoint(
    t,
    { limits: { topics: 2 }, subscribe: (_, ctx) => (ctx.get('x-user') === 'ann' ? ['a', 'b', 'c'] : ['a', 'b', 'a']) },
    { expectsErrors: true },
  )
  t.is((await open()).status, 500)
  t.is((await open({ headers: { 'x-user': 'ben' } })).status, 200)
  t.deepEqual(story, ['refuse resolver 500', 'open'])
  t.is(hub.stats().topics, 2)
})

test('a resolver that hangs is answered with 503 in time, and what it answers later is let go of', async t => {
  const clock = new ManualClock()
  const { subscribe, asked, answer } = new HeldResolver()
  const { open, story, causes, isEmpty } = await openEndpoint(
    t,
    { subscribe, limits: { timeout: 3_000 } },
    { hub: { clock } },
  )
  const opening = open()
  const { stream } = await asked
  clock.advance(2_999)
  t.false(stream.signal.aborted)
  clock.advance(1)
  const refused = await opening
  t.is(refused.status, 503)
  t.is(await refused.text(), 'Service Unavailable')
  t.is(refused.headers['cache-control'], 'no-store')
  t.is(await reasonOf(stream.signal), 'error')
  await isEmpty()
  t.deepEqual(story, ['refuse resolver 503'])
  t.regex(String(causes), /`subscribe` did not answer within 3000 ms/)

  let cleanedUp = 0
  answer(() => {
    cleanedUp += 1
  })
  await eventually(
    () => cleanedUp > 0,
    () => 'A late clean-up was not called',
  )
  t.is(cleanedUp, 1)
  t.false(await stream.send({ data: 'late' }))
  await t.throwsAsync(stream.subscribe('late'), { code: 'ERR_STREAM_CLOSED' })
})

test('a late async iterable is returned from, and a late failure is told', async t => {
  const clock = new ManualClock()
  const [slow, failing] = [new HeldResolver(), new HeldResolver()]
  const { open, tells } = await openEndpoint(
    t,
    { subscribe: (stream, ctx) => (ctx.get('x-user') === 'ann' ? slow : failing).subscribe(stream, ctx) },
    { hub: { clock } },
  )
  const opening = [open(), open({ headers: { 'x-user': 'ben' } })]
  await Promise.all([slow.asked, failing.asked])
  clock.advance(10_000)
  for (const answer of await Promise.all(opening)) t.is(answer.status, 503)
  const returned = new Promise<void>(resolve => {
    slow.answer({
      [Symbol.asyncIterator]: () => ({
        next: async () => t.fail(),
        return: async () => {
          resolve()
          return { done: true, value: undefined }
        },
      }),
    })
  })
  await returned
  failing.fail(new Error('late'))
  await tells('fault resolver')
})

test('a late source that cannot be iterated is told', async t => {
  const clock = new ManualClock()
  const { subscribe, asked, answer } = new HeldResolver()
  const { open, tells, causes } = await openEndpoint(t, { subscribe }, { hub: { clock } })
  const opening = open()
  await asked
  clock.advance(10_000)
  t.is((await opening).status, 503)
  const locked = new ReadableStream<EventInput>()
  locked.getReader()
  answer(locked)
  await tells('fault resolver')
  t.regex(String(causes.at(-1)), /locked/)
})

onEveryKoa('a resolver that is stopped by the signal of its stream is no error', async (t, Koa) => {
  const { subscribe, asked, fail } = new HeldResolver()
  const { port, isEmpty, story } = await openEndpoint(t, { subscribe }, { Koa })
  const client = await raw(port, REQUEST)
  const { stream } = await asked
  client.close()
  fail(await reasonOf(stream.signal))
  await isEmpty()
  t.deepEqual(story, [])

  const other = new HeldResolver()
  const elsewhere = await openEndpoint(t, { subscribe: other.subscribe }, { Koa })
  const opening = elsewhere.open()
  const { stream: closing } = await other.asked
  await elsewhere.hub.disconnect({ identity: 'ann' }, 'logout')
  other.fail(closing.signal.reason)
  t.is((await opening).status, 401)
})

onEveryKoa('a client that leaves while the resolver is busy aborts its signal and leaves nothing', async (t, Koa) => {
  const { subscribe, asked, answer } = new HeldResolver()
  const { hub, port, isEmpty, story } = await openEndpoint(t, { subscribe }, { Koa })
  const client = await raw(port, REQUEST)
  const { stream } = await asked
  t.is(hub.stats().streams, 1)
  client.close()
  t.is(await reasonOf(stream.signal), 'client')
  await isEmpty()
  answer(['news', 'sport'])
  await new Promise(setImmediate)
  await isEmpty()
  t.deepEqual(story, [])
  t.is(hub.stats().closed.client, 0)
})

test('a client that leaves during authentication never gets to the resolver', async t => {
  const [asked, admitted, left] = [new Deferred<void>(), new Deferred<void>(), new Deferred<void>()]
  const { port, story, hub } = await openEndpoint(t, {
    authenticate: {
      ...byName,
      authenticate: async ctx => {
        ctx.res.once('close', left.resolve)
        asked.resolve()
        await admitted.promise
        return byName.authenticate(ctx)
      },
    },
    subscribe: () => t.fail(),
  })
  const client = await raw(port, REQUEST)
  await asked.promise
  t.is(hub.stats().streams, 0)
  client.close()
  await left.promise
  admitted.resolve()
  await new Promise(setImmediate)
  t.deepEqual(story, [])
})
