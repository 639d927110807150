import test from 'ava'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { checkHub } from '../../lib/koa/door-config.ts'
import { openStream, serve } from '../support/http.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis } from '../support/redis-server.ts'
import { list, login, openOps, overviewThat, tracedInOrder } from './site.ts'

async function openTwo(t: Parameters<typeof openOps>[0]) {
  const redis = await startRedis(t)
  // Whether a token was revoked nobody could tell without Redis.
  const authenticate = login({ token: '' })
  const open = () => openOps(t, { authenticate, hub: { broker: redisBroker({ client: redis.url, ...PATIENT }) } })
  return { redis, here: await open(), there: await open() }
}

test('a page shows all instances; streams of another one are found, traced and cut, and it is drained', async t => {
  const { here, there } = await openTwo(t)
  const [ann, ben] = [await there.open('ann'), await there.open('ben')]
  await here.open('ann')
  const page = await here.watch('events')
  const { instances } = await overviewThat(page, seen => seen.instances.length === 2)
  const listed = await list(here, 'search=ann')
  t.true(listed.complete)
  t.is(listed.streams.length, 2)
  const other = listed.streams.find(({ id }) => id === ann.id)?.instance ?? ''
  t.true(instances.some(({ instance }) => instance === other))

  const trace = await here.watch('trace?identity=ann')
  await tracedInOrder(trace, ['is open', 'is open'])
  t.deepEqual(await here.post({ type: 'cut', stream: ann.id }), { status: 200, body: { done: true } })
  t.is((await ann.stream.next(({ event }) => event === 'goaway')).data, '{"reason":"server"}')
  const entries = await tracedInOrder(trace, ['is open', 'is open', 'closed'])
  t.like(entries[2], { stream: ann.id, instance: other, reason: 'server' })

  t.deepEqual(await here.post({ type: 'drain', instance: other }), { status: 200, body: { done: true } })
  t.is((await ben.stream.next(({ event }) => event === 'goaway')).data, '{"reason":"drain"}')
  t.false(there.hub.ready)
  t.true(here.hub.ready)
  await overviewThat(page, seen => seen.instances.some(each => each.instance === other && each.draining))
  t.is((await here.post({ type: 'cut', stream: 'none' })).status, 404)
})

test('an instance without streams is drained, and is shown once a page has asked', async t => {
  const { here, there } = await openTwo(t)
  const { id } = checkHub(there.hub).instances
  t.deepEqual(await here.post({ type: 'drain', instance: id }), { status: 200, body: { done: true } })
  t.true(checkHub(there.hub).draining)
  t.false(checkHub(here.hub).draining)
  const page = await here.watch('events')
  await overviewThat(page, seen => seen.instances.some(({ instance, draining }) => instance === id && draining))
  t.deepEqual(await here.post({ type: 'drain', instance: id }), { status: 200, body: { done: true } })
  t.is((await here.post({ type: 'drain', instance: 'none' })).status, 404)
})

test('without its Redis a page shows its own instance, and says that this is not all', async t => {
  const { redis, here, there } = await openTwo(t)
  const ann = await here.open('ann')
  await there.open('ben')
  t.true((await list(here)).complete)
  redis.pause()
  t.teardown(() => redis.resume())
  const { streams, complete } = await list(here)
  t.false(complete)
  t.deepEqual(
    streams.map(({ id }) => id),
    [ann.id],
  )
  t.is((await here.post({ type: 'cut', stream: 'somewhere else' })).status, 503)
  t.is((await here.post({ type: 'cut', stream: ann.id })).status, 200)
})

test('an instance with streams and without the page is said not to answer, and what it has not to be missing', async t => {
  const { redis, here } = await openTwo(t)
  const hub = createHub({ broker: redisBroker({ client: redis.url, ...PATIENT }) })
  t.teardown(() => hub.close())
  const app = new Koa().use(eventStream({ hub, authenticate: login({ token: '' }), subscribe: () => 'news' }))
  const { url } = await serve(app, t)
  const ben = await openStream(url, { headers: { 'x-user': 'ben' } })
  const { data } = await ben.next(({ event }) => event === 'cursor')
  t.false((await list(here)).complete)
  t.is((await here.post({ type: 'cut', stream: (JSON.parse(data) as { stream: string }).stream })).status, 503)
  const page = await here.watch('events')
  await overviewThat(page, ({ silent }) => silent.length === 1)
})
