import test from 'ava'
import type { Revalidation } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import type { ReceivedStream } from '../support/http.ts'
import { arrival, openSite, type Site } from './site.ts'

const SECOND = 1_000
const comment = ({ kind }: { kind: string }) => kind === 'comment'

/** What came since the stream caught up. What is looked for must have come: an event is sent after it. */
async function since(stream: ReceivedStream, { publish }: Site, topic = 'a'): Promise<string[]> {
  const text = `mark ${stream.received.length}`
  await publish(topic, text)
  await stream.next(({ data }) => data === text)
  const events = stream.received.slice(stream.received.findIndex(({ event }) => event === 'cursor') + 1)
  return events.map(({ kind, event, data }) => (kind === 'comment' ? ':' : `${event} ${data}`))
}

async function reasonOf(site: Site, stream: ReceivedStream): Promise<string | undefined> {
  await stream.closed
  await site.isEmpty()
  return site.last().closeReason
}

test('a comment is sent after silence, and none where something was sent lately', async t => {
  const site = await openSite(t, { heartbeat: 10 * SECOND })
  const { open, clock, publish } = site
  const stream = await open('a')
  await arrival(stream)
  clock.advance(9 * SECOND)
  await publish('a', 'x')
  await stream.next(({ data }) => data === 'x')
  clock.advance(9 * SECOND)
  t.deepEqual(await since(stream, site), ['message x', 'message mark 3'])
  clock.advance(11 * SECOND)
  await stream.next(comment)
  clock.advance(10 * SECOND)
  await stream.next(comment)
  clock.advance(8 * SECOND)
  t.deepEqual((await since(stream, site)).slice(2), [':', ':', 'message mark 6'])
})

test('heartbeats are a named event where page scripts are to see them, and none where there are to be none', async t => {
  const named = await openSite(t, { heartbeat: { interval: 5 * SECOND, event: 'ping' } })
  const stream = await named.open('a')
  await arrival(stream)
  named.clock.advance(6 * SECOND)
  t.deepEqual(await stream.next(), { kind: 'event', event: 'ping', data: '', id: undefined })
  const silent = await openSite(t, { heartbeat: false })
  const quiet = await silent.open('a')
  await arrival(quiet)
  silent.clock.advance(3_600 * SECOND)
  t.deepEqual(await since(quiet, silent), ['message mark 2'])
  const preset = await openSite(t, { heartbeat: {} })
  const usual = await preset.open('a')
  await arrival(usual)
  preset.clock.advance(24 * SECOND)
  t.deepEqual(await since(usual, preset), ['message mark 2'])
  preset.clock.advance(26 * SECOND)
  await usual.next(comment)
})

test('streams end by their age, spread over its last tenth', async t => {
  const { open, clock, streams, hub, isEmpty } = await openSite(t, { maxAge: 1_000 * SECOND })
  const clients = await Promise.all(Array.from({ length: 20 }, () => open('a')))
  const ends: number[] = []
  const start = clock.now()
  hub.on('close', ({ reason, duration }) => {
    t.is(reason, 'max-age')
    t.is(duration, clock.now() - start)
    ends.push(duration)
  })
  clock.advance(899 * SECOND)
  t.true(streams.every(({ closeReason }) => closeReason === undefined))
  for (let passed = 899; passed <= 1_001; passed += 1) {
    clock.advance(SECOND)
    const ended = streams.filter(({ closeReason }) => closeReason !== undefined).length
    await eventually(
      () => ends.length === ended,
      () => 'Streams that ended did not close',
    )
  }
  await Promise.all(clients.map(async client => t.is(await client.closed, 'end')))
  await isEmpty()
  t.true(new Set(ends).size > 5, String(ends))
})

test('a stream ends when the proof of its identity does, at most two seconds later', async t => {
  const site: Site = await openSite(t, { identify: () => ({ expiresAt: Date.UTC(2026, 0, 1) + 60 * SECOND }) })
  const stream = await site.open('a')
  site.clock.advance(59 * SECOND)
  t.is(site.last().closeReason, undefined)
  site.clock.advance(2 * SECOND)
  t.is(await reasonOf(site, stream), 'expired')
  t.is(await stream.closed, 'end')
})

/** A question whose answers the test gives. */
function asking(interval: number, grace: number) {
  let asked = 0
  let answer: () => boolean | Promise<boolean> = () => true
  const revalidation: Revalidation = {
    interval,
    grace,
    holds: () => {
      asked += 1
      return answer()
    },
  }
  return {
    revalidation,
    count: () => asked,
    answers: (next: typeof answer) => (answer = next),
  }
}

const turn = () => new Promise(setImmediate)

test('whether an identity still holds is asked in intervals, and a no closes the stream', async t => {
  const { revalidation, count, answers } = asking(10 * SECOND, 60 * SECOND)
  const site = await openSite(t, { revalidation })
  const stream = await site.open('a')
  const first = count()
  site.clock.advance(11 * SECOND)
  t.is(count(), first + 1)
  await turn()
  site.clock.advance(11 * SECOND)
  t.is(count(), first + 2)
  await turn()
  answers(() => false)
  site.clock.advance(11 * SECOND)
  t.is(await reasonOf(site, stream), 'logout')
})

test('while one question is open no other is asked', async t => {
  const { revalidation, count, answers } = asking(10 * SECOND, 60 * SECOND)
  const site = await openSite(t, { revalidation })
  await site.open('a')
  const first = count()
  const slow = new Deferred<boolean>()
  answers(() => slow.promise)
  site.clock.advance(50 * SECOND)
  t.is(count(), first + 1)
  slow.resolve(true)
  await turn()
  site.clock.advance(11 * SECOND)
  t.is(count(), first + 2)
})

test('where nobody can tell, the stream lives on for the grace and no longer', async t => {
  const { revalidation, answers } = asking(10 * SECOND, 60 * SECOND)
  const site = await openSite(t, { revalidation })
  const stream = await site.open('a')
  const pass = async (seconds: number) => {
    for (let passed = 0; passed < seconds; passed += 1) {
      site.clock.advance(SECOND)
      await turn()
    }
  }
  answers(() => Promise.reject(new Error('store down')))
  await pass(50)
  t.is(site.last().closeReason, undefined)
  answers(() => true)
  await pass(12)
  answers(() => Promise.reject(new Error('store down')))
  await pass(50)
  t.is(site.last().closeReason, undefined, 'an answer begins the grace anew')
  await pass(25)
  t.is(await reasonOf(site, stream), 'unverifiable')
  const faults = site.told.filter(({ name }) => name === 'fault')
  t.true(faults.length >= 8)
  t.like(faults[0], { during: 'revalidation', error: { message: 'store down' } })
})

test('a clock that is set back by an hour puts nothing off by an hour', async t => {
  const { revalidation, count } = asking(10 * SECOND, 60 * SECOND)
  const site = await openSite(t, { revalidation, heartbeat: 20 * SECOND, maxAge: 1_000 * SECOND })
  const { open, clock } = site
  const stream = await open('a')
  await arrival(stream)
  clock.advance(5 * SECOND)
  await turn()
  const before = count()
  clock.set(clock.now() - 3_600 * SECOND)
  clock.advance(25 * SECOND)
  await stream.next(comment)
  await turn()
  t.true(count() > before)
  for (let passed = 0; passed < 1_002 && site.last().closeReason === undefined; passed += 10) {
    clock.advance(10 * SECOND)
    await turn()
  }
  t.is(await reasonOf(site, stream), 'max-age')
})

test('a client that reads nothing is cut, however much is published and however often the heart beats', async t => {
  const site = await openSite(t, { heartbeat: 5 * SECOND, buffer: { stall: 30 * SECOND, bytes: 64 << 20 } })
  const { openUnread, publish, last, clock } = site
  const client = await openUnread('a')
  t.teardown(() => client.close())
  const healthy = await site.open('a')
  await arrival(healthy)
  const [stuck = last()] = site.streams
  // More than the kernel takes, in pieces that a buffer may hold.
  for (let n = 0; n < 80; n += 1) {
    await publish('a', 'x'.repeat(200_000))
    await healthy.next()
  }
  t.true(stuck.bufferedBytes > 1_000_000)
  const waiting = stuck.bufferedBytes
  clock.advance(6 * SECOND)
  t.is(stuck.bufferedBytes, waiting, 'a heartbeat that has to wait would be of no use')
  // Whether the kernel still took something by the first heartbeat is its own business: not before 30 s, or 36.
  for (let n = 0; n < 4; n += 1) {
    await publish('a', 'more')
    await healthy.next(({ data }) => data === 'more')
    clock.advance(5 * SECOND)
    t.is(stuck.closeReason, undefined)
  }
  clock.advance(17 * SECOND)
  t.is(stuck.closeReason, 'slow')
  t.is(last().closeReason, undefined)
})
