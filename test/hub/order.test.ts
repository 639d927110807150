import test from 'ava'
import type { EventStream } from 'koa-event-stream'
import { setImmediate as turn } from 'node:timers/promises'
import { onEveryTransport } from '../koa/every-transport.ts'
import { HeldResolver, openEndpoint } from '../koa/endpoint.ts'
import { memoryBroker } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { messages } from './site.ts'
import { SlowBroker } from './slow-broker.ts'

const EXPECTED = (rounds: number) =>
  Array.from({ length: rounds }, (_, n) => [`published ${n}`, `sent ${n}`, `written ${n}`, `again ${n}`]).flat()

/** Says four things in one turn, and answers when they have been said. */
async function say(
  hub: { publish: (topic: string, event: { data: string }) => Promise<string> },
  stream: EventStream,
  n: number,
) {
  const publishing = hub.publish('news', { data: `published ${n}` })
  void stream.send({ data: `sent ${n}` })
  stream.write(`data: written ${n}\n\n`)
  stream.comment(`comment ${n}`)
  await Promise.all([publishing, hub.publish('news', { data: `again ${n}` })])
}

onEveryTransport(
  'what is published, sent, written and commented arrives in the order of the calls',
  async (t, start) => {
    let held: EventStream | undefined
    const { ask, hub } = await start({
      subscribe: stream => {
        held = stream
        return 'news'
      },
    })
    const stream = (await ask()).read()
    await stream.next(({ event }) => event === 'cursor')
    for (let n = 0; n < 20; n += 1) {
      if (held !== undefined) await say(hub, held, n)
      if (n % 3 === 0) await turn()
    }
    await stream.next(({ data }) => data === 'again 19')
    t.deepEqual(messages(stream.received), EXPECTED(20))
    const comments = stream.received.findIndex(({ data }) => data === 'comment 7')
    t.is(stream.received[comments + 1]?.data, 'again 7')
  },
)

test('while history is replayed, what is sent comes behind what was published before', async t => {
  const broker = memoryBroker({ history: { bytes: 1_000_000_000, count: 10_000 } })
  let held: EventStream | undefined
  const { hub, open } = await openEndpoint(
    t,
    {
      subscribe: stream => {
        held = stream
        return 'news'
      },
    },
    { hub: { broker } },
  )
  const since = await hub.publish('news', { data: 'seen' })
  const missed = Array.from({ length: 300 }, (_, n) => `missed ${n} ${'x'.repeat(10_000)}`)
  for (const data of missed) await hub.publish('news', { data })
  hub.once('open', () => {
    // Nobody has read anything yet.
    if (held !== undefined) void say(hub, held, 0)
  })
  const stream = await open({ headers: { 'last-event-id': since } })
  if (held !== undefined) await say(hub, held, 1)
  await stream.next(({ data }) => data === 'again 1')
  const received = messages(stream.received)
  t.deepEqual(received.slice(0, 300), missed)
  const [before, ...rest] = received.slice(300)
  t.is(before, 'published 0')
  for (const data of ['sent 0', 'written 0', 'sent 1', 'written 1']) t.true(rest.includes(data), data)
  t.true(rest.indexOf('sent 0') < rest.indexOf('written 0') && rest.indexOf('written 0') < rest.indexOf('sent 1'))
})

test('while a topic is being added, what is sent comes behind what was published before', async t => {
  const slow = new SlowBroker()
  slow.allow('subscribe news', 'load')
  let held: EventStream | undefined
  const { hub, open } = await openEndpoint(
    t,
    {
      subscribe: stream => {
        held = stream
        return 'news'
      },
    },
    { hub: { broker: slow.broker } },
  )
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  const adding = held?.subscribe('late')
  await hub.publish('news', { data: 'first' })
  const sent = held?.send({ data: 'second' })
  held?.write('data: third\n\n')
  await turn()
  slow.allow('subscribe late')
  await adding
  t.true(await sent)
  await hub.publish('late', { data: 'end' })
  await stream.next(({ data }) => data === 'end')
  t.deepEqual(messages(stream.received), ['first', 'second', 'third', 'end'])
})

test('what is published while the resolver is asked comes behind the state that it sends', async t => {
  const resolver = new HeldResolver()
  const { hub, open } = await openEndpoint(t, { subscribe: resolver.subscribe })
  await hub.publish('news', { data: 'before it was asked' })
  const opening = open()
  const { stream: own } = await resolver.asked
  await hub.publish('news', { data: 'meanwhile 1' })
  await own.send({ data: 'state' })
  await hub.publish('news', { data: 'meanwhile 2' })
  resolver.answer('news')
  const stream = await opening
  await stream.next(({ event }) => event === 'cursor')
  t.deepEqual(messages(stream.received), ['state', 'meanwhile 1', 'meanwhile 2'])
})

test('a resolver that subscribes first, and then loads and sends its state, misses nothing meanwhile', async t => {
  const going = new Deferred<void>()
  const asked = new Deferred<void>()
  const { hub, open } = await openEndpoint(t, {
    subscribe: async stream => {
      await stream.subscribe('news')
      asked.resolve()
      await going.promise
      await stream.send({ data: 'state' })
    },
  })
  const opening = open()
  await asked.promise
  await hub.publish('news', { data: 'meanwhile' })
  going.resolve()
  const stream = await opening
  await stream.next(({ event }) => event === 'cursor')
  t.deepEqual(messages(stream.received), ['state', 'meanwhile'])
})

test('the place of a newcomer is where the log stood when its resolver was called, for a topic with history too', async t => {
  const resolver = new HeldResolver()
  const { hub, open } = await openEndpoint(t, { subscribe: resolver.subscribe })
  for (const data of ['a', 'b', 'c']) await hub.publish('news', { data })
  const opening = open()
  await resolver.asked
  await hub.publish('news', { data: 'd' })
  resolver.answer([{ topic: 'news', replay: 2 }, 'other'])
  const stream = await opening
  await stream.next(({ event }) => event === 'cursor')
  // A wish for the latest events counts those that came meanwhile, and none that came meanwhile is missing.
  t.deepEqual(messages(stream.received), ['c', 'd'])
})
