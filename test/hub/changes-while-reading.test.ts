import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { memoryBroker, type EventStream, type TopicRequest } from 'koa-event-stream'
import { openEndpoint } from '../koa/endpoint.ts'
import { Deferred } from '../support/deferred.ts'
import { messages, openSite } from './site.ts'

/** Topics that come, go or end while a stream reads history, makes its state, or is told of a gap. */

test('what is due when a topic is added is sent once, and ids rise', async t => {
  const site = await openSite(t)
  const client = await site.open('a')
  await client.next(({ event }) => event === 'cursor')
  void site.hub.publish('a', { data: 'one' })
  void site.hub.publish('a', { data: 'two' })
  await site.last().subscribe('b')
  await site.publish('b', 'three')
  await client.next(({ data }) => data === 'three')
  t.deepEqual(messages(client.received), ['one', 'two', 'three'])
})

test('a stream that a `gap` listener ends sends nothing behind its last block', async t => {
  const broker = memoryBroker({ history: { count: 500, bytes: 100_000_000 } })
  const site = await openSite(t, { hub: { broker } })
  const [start] = await site.publish('a', 'start')
  const padding = 'x'.repeat(20_000)
  const fill = async (times: number) => {
    for (let n = 0; n < times; n += 1) await site.publish('a', padding)
  }
  await fill(499)
  const unread = await site.openUnread('a', `lastEventId=${start}`)
  const told = new Deferred<void>()
  const stream = site.last()
  site.hub.once('gap', () => {
    stream.close('logout')
    told.resolve()
  })
  await turn()
  // More than history has: what the client has not been sent yet is lost.
  await fill(600)
  const client = unread.read()
  await told.promise
  t.is(await client.closed, 'end')
  t.is(client.received.at(-1)?.event, 'goaway')
})

test('a topic that is taken away while its state is made is given up, and the others go on', async t => {
  const asked = new Deferred<AbortSignal>()
  const slow: TopicRequest = {
    topic: 'slow',
    snapshot: signal => {
      asked.resolve(signal)
      return new Promise(() => undefined)
    },
  }
  const held = new Deferred<EventStream>()
  const { hub, open, story } = await openEndpoint(t, {
    subscribe: stream => {
      held.resolve(stream)
      return [slow, 'other']
    },
  })
  const client = await open()
  const signal = await asked.promise
  await hub.publish('other', { data: 'live' })
  const stream = await held.promise
  stream.unsubscribe('slow')
  t.like(await client.next(({ event }) => event === 'message'), { data: 'live' })
  t.true(signal.aborted)
  t.deepEqual(story, ['open'])
  client.close()
})

test('the first topics of a stream that resumes bring what it missed, also after one that was taken away at once', async t => {
  const site = await openSite(t)
  const [seen] = await site.publish('b', 'seen')
  await site.publish('b', 'missed')
  const client = await site.open('', `lastEventId=${seen}`)
  const adding = site.last().subscribe('a')
  site.last().unsubscribe('a')
  await adding
  await site.last().subscribe('b')
  await client.next(({ event }) => event === 'cursor')
  t.deepEqual(messages(client.received), ['missed'])
  t.deepEqual(
    site.told.filter(({ name }) => name === 'gap'),
    [],
  )
})

test('of a topic that is taken away while missed events are conflated nothing is sent', async t => {
  const broker = memoryBroker({ history: { bytes: 1_000_000_000, count: 100_000 } })
  let asked = 0
  const site = await openSite(t, {
    hub: { broker },
    buffer: {
      bytes: 200_000,
      policy: 'conflate',
      key: ({ data }) => {
        asked += 1
        return data.slice(0, 12)
      },
    },
  })
  const unread = await site.openUnread('room,other')
  const padding = '.'.repeat(60_000)
  // The client is behind by a few large events, which it has to read, and by many small ones, which are looked at.
  for (let n = 0; n < 300 && asked === 0; n += 1) {
    await site.publish('room', `large ${String(n).padStart(6, '0')}${padding}`)
    await turn()
  }
  for (let n = 0; n < 2_000; n += 1) await site.publish('room', `small ${String(n).padStart(6, '0')}`)
  for (let n = 0; n < 2_000; n += 1) await site.publish('other', `other ${String(n).padStart(6, '0')}`)
  const client = unread.read()
  while (asked === 0) await turn()
  const before = client.received.length
  site.last().unsubscribe('room')
  await site.publish('other', 'end')
  await client.next(({ data }) => data === 'end')
  t.true(asked > 0 && before < 4_000)
  t.deepEqual(
    messages(client.received).filter(data => data.startsWith('small')),
    [],
  )
})
