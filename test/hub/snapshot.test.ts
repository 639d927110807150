// Snapshots of a topic's state: the tests share a route with state, and differ in when its snapshot is taken.
import { once } from 'node:events'
import test from 'ava'
import type { Middleware } from 'koa'
import {
  memoryBroker,
  type BrokerListener,
  type EventInput,
  type EventStream,
  type TopicRequest,
} from 'koa-event-stream'
import { openEndpoint, type StreamOptions } from '../koa/endpoint.ts'
import { Deferred } from '../support/deferred.ts'
import { ManualClock } from '../support/manual-clock.ts'
import type { Received, ReceivedStream } from '../support/received-stream.ts'

type Snapshot = NonNullable<TopicRequest['snapshot']>

/** Events without those that only say where the client stands, as `name data`. */
const told = (stream: ReceivedStream) =>
  stream.received
    .filter(({ kind, event }) => kind === 'event' && event !== 'cursor')
    .map(({ event, data }) => `${event} ${data}`)
const isCursor = ({ event }: Received) => event === 'cursor'

/** A route whose topic `room` has a state, which counts how often that was asked for. */
function stateful(events: () => ReturnType<Snapshot>) {
  const asked: AbortSignal[] = []
  const snapshot: Snapshot = signal => {
    asked.push(signal)
    return events()
  }
  const options: StreamOptions = { heartbeat: false, subscribe: () => [{ topic: 'room', snapshot }, 'other'] }
  return { asked, options }
}

const STATE: EventInput[] = [
  { event: 'state', data: '1' },
  { event: 'state', data: '2' },
]
const ROOM_GAP = (reason: string) => `gap {"topics":["room","other"],"reason":"${reason}"}`

test('a newcomer gets the state first, then what is published from then on, then live', async t => {
  const { asked, options } = stateful(() => STATE)
  const { hub, open } = await openEndpoint(t, options)
  await hub.publish('room', { data: 'before' })
  const stream = await open()
  await stream.next(isCursor)
  await hub.publish('room', { data: 'after' })
  await stream.next()
  t.deepEqual(told(stream), ['state 1', 'state 2', 'message after'])
  t.is(asked.length, 1)
  t.true(asked[0]?.aborted, 'nobody needs it any more')
})

test('what is published while the state is being made comes behind it', async t => {
  const going = new Deferred<void>()
  const asking = new Deferred<void>()
  const { options } = stateful(async function* () {
    asking.resolve()
    await going.promise
    yield* STATE
  })
  const { hub, open } = await openEndpoint(t, options)
  const stream = await open()
  await asking.promise
  await hub.publish('other', { data: 'meanwhile, elsewhere' })
  await hub.publish('room', { data: 'meanwhile' })
  going.resolve()
  await stream.next(isCursor)
  t.deepEqual(told(stream), ['state 1', 'state 2', 'message meanwhile, elsewhere', 'message meanwhile'])
})

test('on a resume that history serves the state is not asked for', async t => {
  const { asked, options } = stateful(() => STATE)
  const { hub, open } = await openEndpoint(t, options)
  const cursor = await hub.publish('room', { data: 'seen' })
  await hub.publish('room', { data: 'missed' })
  const stream = await open({ headers: { 'last-event-id': cursor } })
  await stream.next(isCursor)
  t.deepEqual(told(stream), ['message missed'])
  t.is(asked.length, 0)
})

for (const [reason, id] of [
  ['epoch', 'another-1'],
  ['unknown', 'none of ours'],
  ['trimmed', undefined],
] as const) {
  test(`after a gap of reason ${reason} the state is asked for, and the client is told when it has caught up`, async t => {
    const { asked, options } = stateful(() => STATE)
    const broker = memoryBroker({ history: { count: 1 } })
    const { hub, open } = await openEndpoint(t, options, { hub: { broker } })
    const first = await hub.publish('other', { data: 'seen' })
    for (const data of ['lost', 'last']) await hub.publish('room', { data })
    const stream = await open({ headers: { 'last-event-id': id ?? first } })
    const cursor = await stream.next(isCursor)
    const gap = reason === 'trimmed' ? 'gap {"topics":["room"],"reason":"trimmed"}' : ROOM_GAP(reason)
    t.deepEqual(told(stream), [gap, 'state 1', 'state 2'])
    t.is(asked.length, 1)
    t.is(cursor.id, await hub.cursor())
    const next = await hub.publish('room', { data: 'next' })
    t.is((await stream.next()).id, next)
  })
}

test('a loss that a live stream is told of is not told again once the state is there', async t => {
  const { asked, options } = stateful(() => STATE)
  const broker = memoryBroker()
  const { listen, read } = { listen: broker.listen.bind(broker), read: broker.read.bind(broker) }
  let start = 0
  let listener: BrokerListener | undefined
  broker.listen = own => {
    listener = own
    listen(own)
  }
  broker.read = (topic, after, limit) => {
    const slice = read(topic, after, limit)
    return topic === 'room' && after < start ? { ...slice, trimmed: true, start } : slice
  }
  const { hub, open } = await openEndpoint(t, options, { hub: { broker } })
  const stream = await open()
  await stream.next(isCursor)
  start = broker.position().seq + 1
  listener?.gap(['room'], 'trimmed')
  await stream.next(isCursor)
  await hub.publish('other', { data: 'next' })
  await stream.next(({ data }) => data === 'next')
  t.deepEqual(told(stream), [
    'state 1',
    'state 2',
    'gap {"topics":["room"],"reason":"trimmed"}',
    'state 1',
    'state 2',
    'message next',
  ])
  t.is(asked.length, 2)
})

for (const [how, events] of [
  ['throws', () => assert('not now')],
  ['rejects', () => Promise.reject(new Error('not now'))],
  ['answers nothing', () => undefined as never],
  ['answers a string', () => 'state' as never],
  ['answers events that are none', () => [{ event: 'a\nb', data: '' }]],
  ['answers events with ids', () => [{ data: '', id: '7' }]],
  [
    'breaks off',
    async function* () {
      yield { event: 'state', data: '1' }
      throw new Error('not now')
    },
  ],
] as [string, () => ReturnType<Snapshot>][]) {
  test(`a snapshot that ${how} is a fault, and ends its stream alone`, async t => {
    const { options } = stateful(events)
    const { hub, open, story, tells } = await openEndpoint(t, {
      ...options,
      subscribe: (stream, ctx) => (stream.identity.id === 'ann' ? options.subscribe?.(stream, ctx) : 'room'),
    })
    const other = await open({ headers: { 'x-user': 'ben' } })
    const stream = await open()
    // A stream that has not begun yet ends as one that is turned away: its client is told to come back.
    const ending = await stream.closed
    if (ending === 'end') t.regex(await stream.text(), /^retry: \d+\nevent: goaway\ndata: {"reason":"server"}\n\n$/)
    await tells(ending === 'cut' ? 'close error' : 'refuse disconnected 200')
    await hub.publish('room', { data: 'unharmed' })
    await other.next(({ data }) => data === 'unharmed')
    t.is(story.filter(chapter => chapter === 'fault snapshot').length, 1)
  })
}

for (const [what, events] of [
  ['is never answered', () => new Promise<never>(() => undefined)],
  ['never goes on', () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) })],
] as [string, () => ReturnType<Snapshot>][]) {
  test(`a snapshot that ${what} is a fault when its time is over`, async t => {
    const clock = new ManualClock()
    const { asked, options } = stateful(events)
    const { open, tells } = await openEndpoint(t, options, { hub: { clock } })
    const stream = await open()
    await new Promise(setImmediate)
    clock.advance(11_000)
    t.is(await stream.closed, 'cut')
    await tells('fault snapshot')
    t.true(asked[0]?.aborted)
  })

  test(`a client leaves while a snapshot ${what}: it hears of it, and that is no fault`, async t => {
    const { asked, options } = stateful(events)
    const { open, tells, story, isEmpty } = await openEndpoint(t, options)
    const stream = await open()
    await new Promise(setImmediate)
    const [signal] = asked
    if (signal === undefined) throw new Error('The state was not asked for')
    const aborted = once(signal, 'abort')
    stream.close()
    await aborted
    await tells('close client')
    await isEmpty()
    t.deepEqual(story, ['open', 'close client'])
  })
}

test('nothing of a state leaves the process once its topic has been taken away', async t => {
  let held: EventStream | undefined
  const returned = new Deferred<void>()
  const { options } = stateful(async function* () {
    try {
      for (;;) yield { event: 'secret', data: 'x'.repeat(10_000) }
    } finally {
      returned.resolve()
    }
  })
  const withdrawing: Middleware = async (_, next) => {
    await next()
    // Nobody reads before Koa responds, so that the first piece of the state waits.
    while ((held?.bufferedBytes ?? 0) <= 10_000) await new Promise(setImmediate)
    held?.unsubscribe('room')
    t.is(held?.bufferedBytes, 0)
  }
  const subscribe: StreamOptions['subscribe'] = async (stream, ctx) => {
    held = stream
    return options.subscribe?.(stream, ctx)
  }
  const { hub, open } = await openEndpoint(t, { ...options, subscribe }, { outer: [withdrawing] })
  const stream = await open()
  await stream.next(isCursor)
  await returned.promise
  const id = await hub.publish('other', { data: 'end' })
  t.is((await stream.next()).id, id)
  t.deepEqual(told(stream), ['message end'])
})

test('a topic that is taken away and given again without its state gets none', async t => {
  const first = new Deferred<void>()
  const asked: string[] = []
  let held: EventStream | undefined
  const { hub, open } = await openEndpoint(t, {
    heartbeat: false,
    subscribe: stream => {
      held = stream
      return [
        {
          topic: 'slow',
          snapshot: async () => {
            await first.promise
            return [{ event: 'state', data: 'slow' }]
          },
        },
        {
          topic: 'room',
          snapshot: () => {
            asked.push('room')
            return [{ event: 'state', data: 'room' }]
          },
        },
      ]
    },
  })
  const stream = await open()
  held?.unsubscribe('room')
  await held?.subscribe('room')
  first.resolve()
  await stream.next(isCursor)
  const id = await hub.publish('room', { data: 'end' })
  t.is((await stream.next()).id, id)
  t.deepEqual(told(stream), ['state slow', 'message end'])
  t.deepEqual(asked, [])
})

function assert(message: string): never {
  throw new Error(message)
}
