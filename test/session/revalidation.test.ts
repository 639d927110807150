import test, { type ExecutionContext } from 'ava'
import { createHub, type Hub, type HubEvents } from 'koa-event-stream'
import { CountingStore } from '../auth/session/site.ts'
import { Deferred } from '../support/deferred.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { lookUps } from './look-ups.ts'
import { openSite } from './site.ts'

const SECOND = 1_000
const INTERVAL = 30 * SECOND
const GRACE = 120 * SECOND

/** Ada's open stream, on a clock that the test moves. */
async function openStream(t: ExecutionContext) {
  const clock = new ManualClock(Date.now())
  const hub = createHub({ clock })
  const store = new CountingStore()
  const site = await openSite(t, { hub, session: { store }, login: { clock }, stream: { heartbeat: false } })
  const ada = await site.loggedIn('ada')
  const stream = await ada.openStream()
  return { ...site, clock, hub, store, ada, stream }
}

function nextFault(hub: Hub): Promise<HubEvents['fault'][0]> {
  const fault = new Deferred<HubEvents['fault'][0]>()
  hub.once('fault', told => fault.resolve(told))
  return fault.promise
}

test('the session is looked up every interval; a stream that may stay stays', async t => {
  const { clock, store, hub, stream, closes } = await openStream(t)
  const { reads } = store
  clock.advance(INTERVAL / 2 - SECOND)
  t.is(store.reads, reads, 'not before half of the first interval')
  await lookUps(clock, store, 3)
  t.true(clock.now() >= INTERVAL * 2)
  await hub.publish('news', { data: 'still here' })
  t.like(await stream.next(({ event }) => event === 'message'), { data: 'still here' })
  t.deepEqual(closes, [])
  t.is(store.writes, 1)
})

test('a session that was deleted behind koa-session’s back ends its stream', async t => {
  const { clock, store, stream, ada, closes } = await openStream(t)
  store.sessions.clear()
  await lookUps(clock, store)
  t.is(await stream.closed, 'end')
  t.like(closes, [{ reason: 'logout' }])
  t.is((await ada.openStream()).status, 401)
})

test('so does another user in the same session', async t => {
  const { clock, store, stream, ada, closes } = await openStream(t)
  await ada.visit('/login?user=eve')
  t.is(store.sessions.size, 1)
  await lookUps(clock, store)
  t.is(await stream.closed, 'end')
  t.like(closes, [{ reason: 'logout', stream: { identity: { id: 'ada' } } }])
  t.is((await ada.openStream()).status, 200)
})

test('a store that fails is forgiven for the grace, and then the stream ends', async t => {
  const { clock, store, hub, stream, closes, faults } = await openStream(t)
  const start = clock.now()
  store.get = () => {
    store.reads++
    return Promise.reject(new Error('connection refused'))
  }
  await lookUps(clock, store)
  t.like(faults, [{ during: 'revalidation', error: { message: 'connection refused' } }])
  await hub.publish('news', { data: 'still here' })
  t.like(await stream.next(({ event }) => event === 'message'), { data: 'still here' })
  while (closes.length === 0 && clock.now() < start + 2 * GRACE) {
    clock.advance(SECOND)
    await new Promise(setImmediate)
  }
  t.is(await stream.closed, 'end')
  t.like(closes, [{ reason: 'unverifiable' }])
  const lasted = clock.now() - start
  t.true(lasted >= GRACE && lasted <= GRACE + INTERVAL + 2 * SECOND, `${lasted} ms`)
})

test('a store that comes back within the grace ends nothing, and a later failure has the whole grace again', async t => {
  const { clock, store, stream, closes } = await openStream(t)
  const { get } = store
  for (let outage = 0; outage < 2; outage++) {
    store.get = () => {
      store.reads++
      return Promise.reject(new Error('connection refused'))
    }
    await lookUps(clock, store, 3)
    store.get = get
    await lookUps(clock, store)
  }
  t.deepEqual(closes, [])
  store.sessions.clear()
  await lookUps(clock, store)
  t.is(await stream.closed, 'end')
  t.like(closes, [{ reason: 'logout' }])
})

test('a frozen store is asked once at a time, counts as failing after the timeout, and is asked again', async t => {
  const { clock, store, hub, closes } = await openStream(t)
  const { reads } = store
  store.get = () => {
    store.reads++
    return new Promise(() => {})
  }
  await lookUps(clock, store)
  const fault = nextFault(hub)
  clock.advance(5 * SECOND)
  t.like(await fault, { during: 'revalidation', error: { code: 'ERR_AUTH_UNAVAILABLE' } })
  t.is(store.reads, reads + 1)
  await lookUps(clock, store)
  t.deepEqual(closes, [])
})
