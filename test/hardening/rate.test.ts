import test from 'ava'
import { Redis } from 'ioredis'
import type { RateLimiter } from 'koa-event-stream'
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible'
import { Deferred } from '../support/deferred.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { startRedis } from '../support/redis-server.ts'
import { byName, openEndpoint } from '../koa/endpoint.ts'

const HOUR = 3_600
const HALF_AN_HOUR = 1_800

/** Counts by hand, and always says the same. */
class Recorded implements RateLimiter {
  readonly keys: string[] = []
  readonly #answer: () => Promise<unknown>

  constructor(answer: () => Promise<unknown> = async () => undefined) {
    this.#answer = answer
  }

  consume(key: string): Promise<unknown> {
    this.keys.push(key)
    return this.#answer()
  }
}

test('who opens streams too often is told to wait for as long as the limiter says, others are not', async t => {
  const identity = new RateLimiterMemory({ points: 2, duration: HALF_AN_HOUR })
  const { open, story } = await openEndpoint(t, { limits: { rate: { identity } }, retry: 2_000 })
  for (let n = 0; n < 2; n += 1) (await open()).close()
  const refused = await open()
  t.is(refused.status, 200)
  const [, ms] = /^retry: (\d+)\nevent: goaway\ndata: {"reason":"overload"}\n\n$/.exec(await refused.text()) ?? []
  const left = (await identity.get('identity:ann'))?.msBeforeNext ?? Infinity
  t.true(Number(ms) >= left && Number(ms) <= 1_803_000, `${String(ms)} with ${left} left`)
  t.true(story.includes('refuse identity-rate 200'))
  const other = await open({ headers: { 'x-user': 'ben' } })
  t.is((await other.next()).event, 'cursor')
})

test('by option with 429 and `Retry-After`; an address is counted by its network, before anybody is asked', async t => {
  let asked = 0
  const address = new RateLimiterMemory({ points: 2, duration: HALF_AN_HOUR })
  const { app, open, story } = await openEndpoint(t, {
    authenticate: { ...byName, authenticate: ctx => ((asked += 1), byName.authenticate(ctx)) },
    limits: { rate: { address } },
    overload: 'reject',
  })
  app.proxy = true
  const from = (ip: string, user = 'ann') => open({ headers: { 'x-forwarded-for': ip, 'x-user': user } })
  t.is((await from('2001:db8:1:2::3')).status, 200)
  t.is((await from('2001:db8:1:2:ffff::4', '')).status, 401)
  const refused = await from('2001:db8:1:2::5', 'ben')
  t.is(refused.status, 429)
  const seconds = Number(refused.headers['retry-after'])
  t.true(seconds >= 1_740 && seconds <= 1_805, String(seconds))
  t.is(await refused.text(), 'Too Many Requests')
  t.is(asked, 2)
  t.is(story.at(-1), 'refuse address-rate 429')
  t.is((await from('2001:db8:1:3::3')).status, 200)
})

test('a wait of more than an hour is told as an hour, which every browser comes back from', async t => {
  const identity = new RateLimiterMemory({ points: 1, duration: 48 * HOUR })
  const { open } = await openEndpoint(t, { limits: { rate: { identity } } })
  await (await open()).next()
  t.is(await (await open()).text(), `retry: ${HOUR * 1_000}\nevent: goaway\ndata: {"reason":"overload"}\n\n`)
})

test('HEAD, what is not acceptable and bad credentials count for no identity; HEAD counts for nothing', async t => {
  const [identity, address] = [new Recorded(), new Recorded()]
  const { open, hub } = await openEndpoint(t, { limits: { rate: { identity, address } } })
  t.is((await open({ method: 'HEAD' })).status, 200)
  t.is((await open({ headers: { accept: 'text/html' } })).status, 406)
  t.deepEqual(address.keys, [])
  t.is((await open({ headers: { 'x-user': '' } })).status, 401)
  t.deepEqual(identity.keys, [])
  await (await open({ headers: { 'x-user': '127.0.0.1' } })).next()
  t.deepEqual([identity.keys, address.keys], [['identity:127.0.0.1'], ['address:127.0.0.1', 'address:127.0.0.1']])
  await hub.drain({ within: 1 })
  await open()
  t.is(address.keys.length, 2)
})

test('a public stream is counted by address only', async t => {
  const [identity, address] = [new Recorded(), new Recorded()]
  const { open } = await openEndpoint(t, { authenticate: false, limits: { rate: { identity, address } } } as object)
  await (await open()).next()
  t.deepEqual([identity.keys, address.keys], [[], ['address:127.0.0.1']])
})

test('a limiter that fails or throws lets the client in, and the operator is told', async t => {
  const failure = new Error('the store is down')
  const address = new Recorded(() => Promise.reject(failure))
  const identity: RateLimiter = {
    consume: () => {
      throw failure
    },
  }
  const { open, story, causes } = await openEndpoint(t, { limits: { rate: { identity, address } } })
  t.is((await (await open()).next()).event, 'cursor')
  t.deepEqual(story, ['fault rate limit', 'fault rate limit', 'open'])
  t.deepEqual(causes, [failure, failure])
})

test('a limiter that does not answer is not waited for', async t => {
  const clock = new ManualClock()
  const asked = new Deferred<void>()
  const hanging: RateLimiter = {
    consume: () => {
      asked.resolve()
      return new Promise<never>(() => undefined)
    },
  }
  const { open, story } = await openEndpoint(t, { limits: { rate: { address: hanging } } }, { hub: { clock } })
  const opening = open()
  await asked.promise
  clock.advance(1_000)
  t.is((await (await opening).next()).event, 'cursor')
  t.deepEqual(story, ['fault rate limit', 'open'])
})

test('a client that leaves while the limiter is asked leaves nothing behind, and the resolver is not asked', async t => {
  const [asked, answered] = [new Deferred<void>(), new Deferred<void>()]
  const identity = new Recorded(() => (asked.resolve(), answered.promise))
  let resolved = 0
  const closed = new Deferred<void>()
  const { open, story, isEmpty } = await openEndpoint(
    t,
    { subscribe: () => ((resolved += 1), 'news'), limits: { rate: { identity } } },
    { outer: [(ctx, next) => (ctx.res.once('close', closed.resolve), next())] },
  )
  const leaving = new AbortController()
  const opening = open({ signal: leaving.signal })
  await asked.promise
  leaving.abort()
  await t.throwsAsync(opening)
  await closed.promise
  answered.resolve()
  await isEmpty()
  t.is((await (await open()).next()).event, 'cursor')
  t.is(resolved, 1)
  t.deepEqual(story, ['open'])
})

test('over two instances one limiter on Redis counts for both, and none when Redis is gone', async t => {
  const redis = await startRedis(t)
  const endpoint = async () => {
    const client = new Redis(redis.url, { maxRetriesPerRequest: 0, enableOfflineQueue: false })
    client.on('error', () => undefined)
    t.teardown(async () => client.disconnect())
    const identity = new RateLimiterRedis({ storeClient: client, points: 3, duration: HALF_AN_HOUR })
    if (client.status !== 'ready') await new Promise(resolve => client.once('ready', resolve))
    return openEndpoint(t, { limits: { rate: { identity } }, overload: 'reject' })
  }
  const [one, other] = [await endpoint(), await endpoint()]
  const statuses: number[] = []
  for (const { open } of [one, other, one, other]) statuses.push((await open()).status)
  t.deepEqual(statuses, [200, 200, 200, 429])
  await redis.stop()
  t.is((await other.open()).status, 200)
  t.true(other.story.includes('fault rate limit'))
})
