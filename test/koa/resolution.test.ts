import test from 'ava'
import { eventually } from '../support/eventually.ts'
import { openEndpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

const reasons: [status: number, reason: string, text: string][] = [
  [401, 'unauthenticated', 'Unauthorized'],
  [403, 'forbidden', 'Forbidden'],
  [402, 'resolver', 'Payment Required'],
  [404, 'resolver', 'Not Found'],
  [503, 'resolver', 'Service Unavailable'],
]

for (const [status, reason, text] of reasons) {
  onEveryKoa(`a resolver that sets ${status} refuses, as ${reason}, whatever it answers`, async (t, Koa) => {
    const answers: unknown[] = ['news', ['a', { topic: 'b', replay: 1 }], undefined, null, false, 42]
    let answer: unknown
    const { open, story, hub, isEmpty } = await openEndpoint(
      t,
      {
        subscribe: async (stream, ctx) => {
          await stream.subscribe('mine')
          ctx.status = status
          return answer as never
        },
      },
      { Koa },
    )
    for (answer of answers) {
      const refused = await open()
      t.is(refused.status, status)
      t.is(await refused.text(), text)
      t.is(refused.headers['cache-control'], 'no-store')
      t.is(refused.headers['www-authenticate'], status === 401 ? 'Name realm="events"' : undefined)
    }
    await isEmpty()
    t.deepEqual(
      story,
      answers.map(() => `refuse ${reason} ${status}`),
    )
    t.is(hub.stats().refused[reason as 'resolver'], answers.length)
  })
}

onEveryKoa('the body and the headers of a refusal are the resolver’s', async (t, Koa) => {
  const { open } = await openEndpoint(
    t,
    {
      subscribe: (_, ctx) => {
        ctx.status = 401
        ctx.body = { error: 'too_old' }
        ctx.set({ 'Cache-Control': 'private', 'WWW-Authenticate': 'Own' })
      },
    },
    { Koa },
  )
  const refused = await open()
  t.is(refused.status, 401)
  t.is(await refused.text(), '{"error":"too_old"}')
  t.like(refused.headers, { 'cache-control': 'private', 'www-authenticate': 'Own' })
})

test('a source or a clean-up that comes with a refusal is released, unused', async t => {
  let [asked, returned, cleaned] = [0, 0, 0]
  const source = {
    next: async () => {
      asked += 1
      return { done: true as const, value: undefined }
    },
    return: async () => {
      returned += 1
      return { done: true as const, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
  const { open } = await openEndpoint(t, {
    subscribe: (stream, ctx) => {
      ctx.status = 403
      return stream.lastEventId === undefined ? source : () => void (cleaned += 1)
    },
  })
  t.is((await open()).status, 403)
  t.is((await open({ headers: { 'last-event-id': 'x' } })).status, 403)
  await eventually(
    () => returned + cleaned === 2,
    () => `returned ${String(returned)}, cleaned ${String(cleaned)}`,
  )
  t.is(asked, 0)
})

test('what outer middleware has set before is no refusal of the resolver’s', async t => {
  const { open } = await openEndpoint(
    t,
    {},
    {
      outer: [
        (ctx, next) => {
          ctx.status = 202
          return next()
        },
      ],
    },
  )
  t.is((await open()).status, 200)
})

test('a stream that has all its topics already may be answered them once more, and no other', async t => {
  const { open, story, causes, hub } = await openEndpoint(
    t,
    {
      limits: { topics: 2 },
      subscribe: async (stream, ctx) => {
        await stream.subscribe('a')
        return ctx.get('x-user') === 'ann' ? ['a', 'b'] : ['b', 'c']
      },
    },
    { expectsErrors: true },
  )
  t.is((await open()).status, 200)
  t.is((await open({ headers: { 'x-user': 'ben' } })).status, 500)
  t.deepEqual(story, ['open', 'refuse resolver 500'])
  t.regex(String(causes[0]), /`limits.topics`/)
  t.is(hub.stats().refused.resolver, 1)
})
