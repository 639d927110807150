import { text } from 'node:stream/consumers'
import test from 'ava'
import type { EventInput, EventStream } from 'koa-event-stream'
import { raw } from '../support/http.ts'
import { byName, HeldResolver, openEndpoint, reasonOf, REQUEST, type StreamOptions } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

const isCursor = ({ event }: { event: string }) => event === 'cursor'

test('topics are answered as a string, a list, or any iterable, each with a wish or without', async t => {
  const answers: [string[], StreamOptions['subscribe']][] = [
    [['news'], () => 'news'],
    [['news', 'user:ann'], stream => ['news', `user:${stream.identity.id}`]],
    [['news', 'sport'], async () => new Set(['news', { topic: 'sport' }])],
    [['news'], () => ({ topic: 'news', replay: 0 })],
  ]
  for (const [topics, subscribe] of answers) {
    const { hub, open, close } = await openEndpoint(t, subscribe && { subscribe })
    const stream = await open()
    await stream.next(isCursor)
    for (const topic of topics) {
      const id = await hub.publish(topic, { data: topic })
      t.like(await stream.next(), { data: topic, id })
    }
    t.is(hub.stats().topics, topics.length)
    await close()
  }
})

test('a newcomer gets the history that is wished for, and then its cursor', async t => {
  const streams: string[] = []
  const { hub, open } = await openEndpoint(t, {
    subscribe: ({ id }) => {
      streams.push(id)
      return [{ topic: 'news', replay: 2 }, { topic: 'sport', replay: 1 }, 'weather']
    },
  })
  const keep = await open()
  await keep.next(isCursor)
  for (const data of ['a', 'b', 'c']) await hub.publish('news', { data })
  await hub.publish(['sport', 'news'], { data: 'd' })
  await hub.publish('weather', { data: 'e' })
  const stream = await open()
  await stream.next(isCursor)
  t.deepEqual(
    stream.received.filter(({ kind }) => kind === 'event').map(({ event, data }) => [event, data]),
    [
      ['message', 'c'],
      ['message', 'd'],
      ['cursor', JSON.stringify({ stream: streams[1], heartbeat: 25_000 })],
    ],
  )
})

test('a resolver may send as much as the buffer holds before it answers, and wait for each send', async t => {
  const { hub, open } = await openEndpoint(t, {
    buffer: { bytes: 100_000 },
    subscribe: async stream => {
      for (let n = 0; n < 80; n += 1) t.true(await stream.send({ event: 'row', data: 'x'.repeat(1_000) }))
      return 'news'
    },
  })
  const stream = await open()
  await stream.next(isCursor)
  t.is(stream.received.filter(({ event }) => event === 'row').length, 80)
  await hub.publish('news', { data: 'live' })
  t.like(await stream.next(), { data: 'live' })
})

const CLOSED = /^retry: \d+\ndata: all there is\n\nretry: \d+\nevent: goaway\ndata: {"reason":"server"}\n\n$/
const DONE = /^retry: \d+\ndata: all there is\n\nid: ~done\nevent: goaway\ndata: {"reason":"done"}\n\n$/

for (const [how, end, reason, body] of [
  ['closes', stream => stream.close(), 'server', CLOSED],
  ['closes as done', stream => stream.close('done'), 'done', DONE],
  ['ends', stream => stream.end(), 'done', DONE],
] as [string, (stream: EventStream) => void, string, RegExp][]) {
  onEveryKoa(`what a resolver sends before it ${how} the stream reaches the client`, async (t, Koa) => {
    const subscribe = async (stream: EventStream) => {
      await stream.send({ data: 'all there is' })
      end(stream)
    }
    const { open, story, isEmpty } = await openEndpoint(t, { subscribe }, { Koa })
    const answer = await open()
    t.is(answer.status, 200)
    t.regex(await answer.text(), body)
    await isEmpty()
    t.deepEqual(story, ['open', `close ${reason}`])
  })
}

test('what a resolver sends before it closes the stream is not for whose login has ended', async t => {
  const { open, story } = await openEndpoint(t, {
    authenticate: { ...byName, revalidation: { interval: 60_000, grace: 0, holds: () => false } },
    subscribe: async stream => {
      await stream.send({ data: 'secret' })
      stream.close()
    },
  })
  const answer = await open()
  t.is(answer.status, 401)
  t.is(await answer.text(), 'Unauthorized')
  t.deepEqual(story, ['refuse unauthenticated 401'])
})

test('null is answered with 204, which makes an EventSource stop', async t => {
  const { open, story, isEmpty } = await openEndpoint(t, { subscribe: () => null })
  const answer = await open()
  t.is(answer.status, 204)
  t.is(answer.headers['cache-control'], 'no-store')
  t.is(answer.headers['content-type'], undefined)
  t.is(await answer.text(), '')
  await isEmpty()
  t.deepEqual(story, [])
})

test('a resolver that answers nothing keeps the stream and writes to it', async t => {
  const { open, story } = await openEndpoint(t, {
    subscribe: stream => {
      void stream.send({ event: 'hello', data: { name: stream.identity.id }, id: 'own.id' })
      stream.comment('two\nlines')
      setImmediate(() => stream.close('done'))
    },
  })
  const stream = await open()
  t.regex(
    await stream.text(),
    /^retry: \d+\nid: own\.id\nevent: hello\ndata: {"name":"ann"}\n\n: two\n: lines\nid: ~done\nevent: goaway\ndata: {"reason":"done"}\n\n$/,
  )
  t.is(await stream.closed, 'end')
  t.deepEqual(story, ['open', 'close done'])
})

test('a clean-up function is called exactly once, after the stream has closed', async t => {
  const calls: unknown[] = []
  const { open, story, tells, isEmpty } = await openEndpoint(t, {
    subscribe: stream => async () => {
      calls.push(stream.closeReason, stream.closed)
      throw new Error('too bad')
    },
  })
  const stream = await open()
  t.deepEqual(calls, [])
  stream.close()
  await isEmpty()
  await tells('fault clean-up')
  t.deepEqual(calls, ['client', true])
  t.deepEqual(story, ['open', 'close client', 'fault clean-up'])
})

test('a clean-up function that is answered after the client has left is called, once', async t => {
  const { subscribe, asked, answer } = new HeldResolver()
  const { port, isEmpty, story } = await openEndpoint(t, { subscribe })
  const client = await raw(port, REQUEST)
  const { stream } = await asked
  client.close()
  t.is(await reasonOf(stream.signal), 'client')
  await isEmpty()
  t.true(stream.closed)
  let calls = 0
  await new Promise<void>(resolve =>
    answer(() => {
      calls += 1
      resolve()
    }),
  )
  t.is(calls, 1)
  t.deepEqual(story, [])
})

test('a POST with a body is answered with the events of an async iterable, which ends the stream', async t => {
  async function* tokens(words: string): AsyncGenerator<EventInput> {
    for (const [index, data] of words.split(' ').entries()) yield { event: 'token', data, id: String(index) }
  }
  const { open, story } = await openEndpoint(t, { subscribe: async (_, ctx) => tokens(await text(ctx.req)) })
  const stream = await open({ method: 'POST', body: 'nothing is lost' })
  t.is(await stream.closed, 'end')
  t.deepEqual(
    stream.received.filter(({ kind }) => kind === 'event').map(({ event, data, id }) => [event, data, id]),
    [
      ['token', 'nothing', '0'],
      ['token', 'is', '1'],
      ['token', 'lost', '2'],
    ],
  )
  t.deepEqual(story, ['open', 'close done'])
})
