// `hub.subscribe()` and `hub.unsubscribe()`, on one instance and several: the tests share a site of three streams.
import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { EventStreamError, memoryBroker, type Broker, type ControlMessage, type Identity } from 'koa-event-stream'
import { checkChange } from '../../lib/hub/subscription-change.ts'
import { checkHub } from '../../lib/koa/door-config.ts'
import { HeldResolver, openEndpoint } from '../koa/endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { arrival, messages, openSite, type Site } from './site.ts'

const identify = (id: string): Partial<Identity> => ({ session: `session of ${id.slice(0, 3)}` })
const ids = (site: Site) => site.streams.map(({ id }) => id)

/** The messages that come up to one that is published now. */
async function messagesOf(site: Site, stream: Awaited<ReturnType<Site['open']>>): Promise<string[]> {
  await site.publish('base', 'end')
  await stream.next(({ data }) => data === 'end')
  return messages(stream.received)
}

/** Ada has two streams, in two sessions, and Bob one, all of the topic `base`. */
async function openThree(t: ExecutionContext) {
  const site = await openSite(t, { identify: id => ({ ...identify(id), ...(id === 'ada' && { session: 'other' }) }) })
  const streams = [
    await site.open('base', 'user=ada'),
    await site.open('base', 'user=bob'),
    await site.open('base', 'user=ada'),
  ]
  for (const stream of streams) await arrival(stream)
  return { site, streams }
}

test('topics are added to all streams of an identity, and taken away again', async t => {
  const { site, streams } = await openThree(t)
  const before = await site.hub.cursor()
  t.deepEqual(await site.hub.subscribe({ identity: 'ada' }, 'room'), { streams: 2, since: before, complete: true })
  await site.publish('room', 'for ada')
  for (const n of [0, 2]) await streams[n]?.next(({ data }) => data === 'for ada')
  const since = await site.hub.cursor()
  t.deepEqual(await site.hub.unsubscribe({ identity: 'ada' }, ['room', 'never']), {
    streams: 2,
    since,
    complete: true,
  })
  await site.publish('room', 'for nobody')
  const all = await Promise.all(streams.map(stream => messagesOf(site, stream)))
  t.deepEqual(
    all.map(texts => texts.filter(text => text !== 'end')),
    [['for ada'], [], ['for ada']],
  )
})

test('all that is given must fit', async t => {
  const { site } = await openThree(t)
  const [first = '', second = ''] = ids(site)
  const count = async (filter: Parameters<typeof site.hub.subscribe>[0]) =>
    (await site.hub.subscribe(filter, 'room')).streams
  t.is(await count({ stream: first }), 1)
  t.is(await count({ stream: first, identity: 'ada', session: 'other' }), 1)
  t.is(await count({ stream: second, identity: 'ada' }), 0)
  t.is(await count({ stream: first, session: 'session of bob' }), 0)
  t.is(await count({ stream: 'none' }), 0)
  t.is(await count({ session: 'other' }), 2)
})

test('what is no change is refused before anything is changed', async t => {
  const { hub } = await openSite(t)
  const refused = async (filter: object, topics: unknown, options?: object) => {
    for (const call of [hub.subscribe, hub.unsubscribe]) {
      await t.throwsAsync(call.call(hub, filter, topics as string, options), { instanceOf: TypeError })
    }
  }
  await refused({}, 'room')
  await refused({ identity: undefined }, 'room')
  await refused({ identity: 7 }, 'room')
  await refused({ identity: '' }, 'room')
  await refused({ stream: 'x'.repeat(1_025) }, 'room')
  await refused({ token: 'jti' }, 'room')
  await refused({ identity: 'ada' }, [])
  await refused({ identity: 'ada' }, undefined)
  await refused({ identity: 'ada' }, Array(101).fill('room'))
  await refused({ identity: 'ada' }, 'room', { within: 0 })
  await refused({ identity: 'ada' }, 'room', { patience: 5 })
  await t.throwsAsync(hub.subscribe({ identity: 'ada' }, 'room:*'), { code: 'ERR_TOPIC_INVALID' })
  await hub.close()
  await t.throwsAsync(hub.subscribe({ identity: 'ada' }, 'room'), { code: 'ERR_HUB_CLOSED' })
  await t.throwsAsync(hub.unsubscribe({ identity: 'ada' }, 'room'), { code: 'ERR_HUB_CLOSED' })
})

test('a stream that would have too many topics gets none of them, does not count, and is told as a fault', async t => {
  const site = await openSite(t, { limits: { topics: 3 } })
  const stream = await site.open('base,b,c')
  for (const one of [await site.open('base'), stream]) await arrival(one)
  t.like(await site.hub.subscribe({ identity: 'ada' }, ['room', 'hall']), { streams: 1, complete: true })
  const faults = site.told.filter(({ name }) => name === 'fault')
  t.is(faults.length, 1)
  t.like(faults[0], { during: 'hub.subscribe', stream: { id: site.streams[0]?.id } })
  await site.publish('room', 'room')
  t.deepEqual(await messagesOf(site, stream), ['end'])
})

for (const [title, change, expected] of [
  [
    'taken away',
    async hub => {
      await hub.unsubscribe({ identity: 'ann' }, 'room')
    },
    ['other'],
  ],
  [
    'added',
    async hub => {
      await hub.subscribe({ identity: 'ann' }, 'hall')
    },
    ['room', 'hall', 'other'],
  ],
  [
    'taken away and given back',
    async hub => {
      await hub.unsubscribe({ identity: 'ann' }, 'room')
      await hub.subscribe({ identity: 'ann' }, 'room')
    },
    ['room', 'other'],
  ],
  [
    'added and taken away',
    async hub => {
      await hub.subscribe({ identity: 'ann' }, 'hall')
      await hub.unsubscribe({ identity: 'ann' }, ['hall', 'own'])
    },
    ['room', 'other'],
  ],
] as [string, (hub: Site['hub']) => Promise<void>, string[]][]) {
  test(`while the resolver is being asked, whatever it answers: topics are ${title}`, async t => {
    const resolver = new HeldResolver()
    const { hub, open } = await openEndpoint(t, { subscribe: resolver.subscribe })
    const opening = open()
    const { stream } = await resolver.asked
    await change(hub)
    // It goes on with what it has read before.
    if (title === 'added and taken away') await stream.subscribe('own')
    resolver.answer(['room', 'other'])
    const received = await opening
    await received.next(({ event }) => event === 'cursor')
    for (const topic of ['own', 'room', 'hall', 'other']) await hub.publish(topic, { data: topic })
    await received.next(({ data }) => data === 'other')
    t.deepEqual(messages(received.received), expected)
    received.close()
  })
}

test('a stream that topics are added to while it opens, and that cannot have them, does not open without them', async t => {
  const resolver = new HeldResolver()
  const { hub, open, causes } = await openEndpoint(t, { subscribe: resolver.subscribe, limits: { topics: 2 } })
  const opening = open()
  await resolver.asked
  t.like(await hub.subscribe({ identity: 'ann' }, 'hall'), { streams: 1 })
  resolver.answer(['room', 'other'])
  const stream = await opening
  await stream.next(({ event }) => event === 'goaway')
  t.false(stream.received.some(({ event }) => event === 'cursor'))
  t.regex(String(causes[0]), /limits\.topics/)
})

/** An engine whose messages pass through the test's hands. */
function intercepted(deliver: (message: ControlMessage, hand: (message: ControlMessage) => void) => void) {
  const broker = memoryBroker()
  const listen = broker.listen.bind(broker)
  let missed = (): void => {}
  broker.listen = listener => {
    missed = () => listener.controlMissed?.()
    listen({
      event: listener.event.bind(listener),
      gap: listener.gap.bind(listener),
      control: message => deliver(message, listener.control.bind(listener)),
      readiness: listener.readiness.bind(listener),
      fault: listener.fault.bind(listener),
    })
  }
  return { broker, missed: () => missed() }
}

test('a message that comes again changes nothing: neither what was taken away since, nor what was given back', async t => {
  const heard: ControlMessage[] = []
  let again = (_message: ControlMessage): void => {}
  const { broker } = intercepted((message, hand) => {
    again = hand
    heard.push(message)
    hand(message)
    hand(message)
  })
  const site = await openSite(t, { hub: { broker } })
  const stream = await site.open('base')
  await arrival(stream)
  await site.hub.subscribe({ identity: 'ada' }, ['room', 'hall'])
  await site.hub.unsubscribe({ identity: 'ada' }, ['room', 'hall'])
  await site.hub.subscribe({ identity: 'ada' }, 'hall')
  for (const message of heard.slice(0, 2)) again(message)
  await site.publish('room', 'room')
  await site.publish('hall', 'hall')
  t.deepEqual(await messagesOf(site, stream), ['hall', 'end'])
})

test('what a caller takes away without waiting for what it gave before stays away', async t => {
  const waiting: (() => void)[] = []
  const { broker } = intercepted((message, hand) => waiting.push(() => hand(message)))
  const site = await openSite(t, { hub: { broker } })
  const stream = await site.open('base,room')
  await arrival(stream)
  const given = site.hub.subscribe({ identity: 'ada' }, 'hall')
  const taken = site.hub.unsubscribe({ identity: 'ada' }, ['room', 'hall'])
  // At once, whatever is on its way.
  await site.publish('room', 'room')
  await eventually(
    () => waiting.length === 2,
    () => 'nothing was announced',
  )
  waiting[0]?.()
  await site.publish('hall', 'hall')
  waiting[1]?.()
  await Promise.all([given, taken])
  t.deepEqual(await messagesOf(site, stream), ['end'])
})

test('the broker is down: this instance takes the topics away all the same, and the caller hears of it', async t => {
  const broker = memoryBroker()
  broker.announce = () => Promise.reject(new EventStreamError('ERR_BROKER', 'down'))
  const site = await openSite(t, { hub: { broker } })
  const stream = await site.open('base,room')
  await arrival(stream)
  await t.throwsAsync(site.hub.unsubscribe({ identity: 'ada' }, 'room'), { code: 'ERR_BROKER' })
  await t.throwsAsync(site.hub.subscribe({ identity: 'ada' }, 'hall'), { code: 'ERR_BROKER' })
  await site.publish('room', 'room')
  await site.publish('hall', 'hall')
  t.deepEqual(await messagesOf(site, stream), ['end'])
})

test('an instance that does not answer in time: the change is not complete, and its late answer harms nobody', async t => {
  const broker = memoryBroker()
  const site = await openSite(t, { hub: { broker } })
  await arrival(await site.open('base'))
  await broker.roster.beat('another', 600_000)
  const changed = site.hub.subscribe({ identity: 'ada' }, 'room', { within: 5_000 })
  let isOver = false
  void changed.then(() => (isOver = true))
  await turn()
  t.false(isOver)
  site.clock.advance(5_000)
  t.like(await changed, { streams: 1, complete: false })
  await broker.announce({ type: 'answer', question: 'long ago', instance: 'another', streams: 1, refused: 0 })
  const again = site.hub.subscribe({ stream: site.last().id }, 'hall')
  t.like(await again, { streams: 1, complete: true }, 'only one instance can have a stream')
})

test('who lives cannot be told: the change is not complete', async t => {
  const broker = memoryBroker()
  broker.roster.instances = () => Promise.reject(new EventStreamError('ERR_BROKER', 'down'))
  const site = await openSite(t, { hub: { broker } })
  await arrival(await site.open('base'))
  const changed = site.hub.unsubscribe({ identity: 'ada' }, 'base')
  let isOver = false
  void changed.then(() => (isOver = true))
  await eventually(
    () => {
      site.clock.advance(1_000)
      return isOver
    },
    () => 'it waits for ever',
  )
  t.like(await changed, { streams: 1, complete: false })
})

for (const [title, use] of [
  [
    'this instance has heard of',
    async site => {
      await site.hub.subscribe({ identity: 'nobody' }, 'room')
    },
  ],
  ['the store knows of', (_, broker) => broker.store.set('subscriptions', '1', 60_000)],
] as [string, (site: Site, broker: Broker) => Promise<void>][]) {
  test(`messages may have been missed: where ${title} changes, streams end, and their clients come back`, async t => {
    const { broker, missed } = intercepted((message, hand) => hand(message))
    const revalidation = { interval: 600_000, grace: 60_000, holds: () => true }
    const site = await openSite(t, { hub: { broker }, revalidation })
    const stream = await site.open('base')
    await arrival(stream)
    await use(site, broker)
    missed()
    const { data } = await stream.next(({ event }) => event === 'goaway')
    t.is(data, '{"reason":"unverifiable"}')
  })
}

test('messages may have been missed: an application that makes no changes keeps its streams', async t => {
  const { broker, missed } = intercepted((message, hand) => hand(message))
  const revalidation = { interval: 600_000, grace: 60_000, holds: () => true }
  const site = await openSite(t, { hub: { broker }, revalidation })
  const stream = await site.open('base')
  await arrival(stream)
  const { get } = broker.store
  let fails = 1
  broker.store.get = async key => {
    if (fails-- > 0) throw new EventStreamError('ERR_BROKER', 'down')
    return get.call(broker.store, key)
  }
  missed()
  await eventually(
    () => {
      site.clock.advance(1_000)
      return fails < 0
    },
    () => 'the store was not asked again',
  )
  t.deepEqual(await messagesOf(site, stream), ['end'])
})

test('a decision that did not know of what was taken away meanwhile brings nothing back', async t => {
  const site = await openSite(t)
  const stream = await site.open('base')
  await arrival(stream)
  const { subscriptions } = checkHub(site.hub)
  const decision = subscriptions.decide()
  await site.hub.unsubscribe({ session: 'of somebody else' }, 'room')
  t.like(await subscriptions.change(checkChange('subscribe', { identity: 'ada' }, 'room'), decision), { streams: 1 })
  await site.hub.unsubscribe({ identity: 'ada' }, ['room', 'hall'])
  t.like(await subscriptions.change(checkChange('subscribe', { identity: 'ada' }, 'hall'), decision), {
    streams: 0,
    refused: 1,
  })
  t.like(await subscriptions.change(checkChange('subscribe', { identity: 'ada' }, 'third'), decision), { streams: 1 })
  const next = subscriptions.decide()
  site.clock.advance(200_000)
  t.like(await subscriptions.change(checkChange('subscribe', { identity: 'ada' }, 'room'), next), {
    streams: 0,
    refused: 1,
  })
  t.like(await site.hub.subscribe({ identity: 'ada' }, 'room'), { streams: 1 })
})

for (const [title, seen, gap] of [
  ['nothing has come since', 'last', undefined],
  ['something has', 'first', 'trimmed'],
  ['nobody can tell', 'none', 'trimmed'],
  ['the log has begun anew', 'another-1', 'trimmed'],
] as const) {
  test(`a topic that the client had on another stream: ${title}`, async t => {
    const site = await openSite(t)
    const published = await site.publish('room', '1', '2')
    const stream = await site.open('base')
    await arrival(stream)
    const { subscriptions } = checkHub(site.hub)
    const cursor = { first: published[0], last: published[1], none: 'none', 'another-1': 'another-1' }[seen] ?? ''
    const change = { ...checkChange('subscribe', { identity: 'ada' }, ['room', 'hall']), seen: cursor }
    t.like(await subscriptions.change(change), { streams: 1 })
    await subscriptions.change(change)
    await site.publish('room', 'live')
    t.deepEqual(await messagesOf(site, stream), ['live', 'end'])
    const gaps = stream.received.filter(({ event }) => event === 'gap').map(({ data }) => data)
    const topics = seen === 'first' ? ['room'] : ['room', 'hall']
    t.deepEqual(gaps, gap === undefined ? [] : [JSON.stringify({ topics, reason: gap })])
  })
}
