// The demo's access and refresh tokens: the tests share the helpers that refresh them and read their streams.
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { readConfig } from '../../demo/config.ts'
import { IDLE_LIFETIME, LOGIN_LIFETIME, MOST_ACCESS_TOKENS } from '../../demo/tokens/logins.ts'
import { openStream, type ReceivedStream } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { openSite, patientUrl, type Site, type Tokens } from './site.ts'

const DAY = 24 * 60 * 60 * 1_000

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const refresh = (site: Site, token: string) => site.askForTokens({ grant_type: 'refresh_token', refresh_token: token })

async function refreshed(site: Site, token: string): Promise<Tokens> {
  const response = await refresh(site, token)
  if (response.status !== 200) throw new Error(`refreshing failed with status ${response.status}`)
  return (await response.json()) as Tokens
}

async function isRefused(t: ExecutionContext, site: Site, token: string): Promise<void> {
  const response = await refresh(site, token)
  t.is(response.status, 400)
  t.is(response.headers.get('cache-control'), 'no-store')
  t.deepEqual(await response.json(), { error: 'invalid_grant' })
}

async function statusOf(site: Site, token: string): Promise<number> {
  return (await fetch(`${site.url}/api/orders`, { headers: bearer(token) })).status
}

async function open(site: Site, token: string, cursor = ''): Promise<ReceivedStream> {
  const stream = await openStream(`${site.url}/api/events`, {
    headers: { ...bearer(token), ...(cursor && { 'last-event-id': cursor }) },
  })
  if (stream.status === 200) await stream.next(({ event }) => event === 'cursor')
  return stream
}

/** The texts of the notifications on a stream, and the id of the last thing that had one. */
function seen({ received }: ReceivedStream): { texts: string[]; cursor: string } {
  return {
    texts: received
      .filter(({ event }) => event === 'notification')
      .map(({ data }) => (JSON.parse(data) as { text: string }).text),
    cursor: received.findLast(({ id }) => id !== undefined)?.id ?? '',
  }
}

/** Two instances of one site. */
async function openInstances(t: ExecutionContext, redis: RedisServer): Promise<[Site, Site]> {
  const config = { ...readConfig({}), redisUrl: patientUrl(redis) }
  return [await openSite(t, config), await openSite(t, config)]
}

test('a refresh token brings a new pair, and the access token before it stays good', async t => {
  const site = await openSite(t)
  const first = await site.tokens('ada')
  const response = await refresh(site, first.refresh_token)
  t.is(response.headers.get('cache-control'), 'no-store')
  const second = (await response.json()) as Tokens
  t.like(second, { token_type: 'Bearer', expires_in: 900 })
  t.not(second.refresh_token, first.refresh_token)
  for (const { access_token } of [first, second]) t.is(await statusOf(site, access_token), 200)
  const third = await refreshed(site, second.refresh_token)
  t.is(await statusOf(site, third.access_token), 200)
})

test('a stream goes on over the end of its access token, with nothing lost or doubled', async t => {
  const clock = new ManualClock()
  const site = await openSite(t, {}, { clock })
  const first = await site.tokens('ada')
  const stream = await open(site, first.access_token)
  await site.services.notify('ada', 'one')
  await stream.next()
  clock.advance(first.expires_in * 1_000)
  await stream.closed
  t.is(await statusOf(site, first.access_token), 401)
  await site.services.notify('ada', 'two')

  const { cursor, texts } = seen(stream)
  const second = await refreshed(site, first.refresh_token)
  await site.services.notify('ada', 'three')
  const next = await open(site, second.access_token, cursor)
  await site.services.notify('ada', 'four')
  await next.next(({ data }) => data.includes('four'))
  t.deepEqual([...texts, ...seen(next).texts], ['one', 'two', 'three', 'four'])
})

test('a stream with the access token of before goes on while there is a newer one', async t => {
  const site = await openSite(t)
  const first = await site.tokens('ada')
  const stream = await open(site, first.access_token)
  await refreshed(site, first.refresh_token)
  await site.services.notify('ada', 'still here')
  t.regex((await stream.next()).data, /still here/)
})

test('an old refresh token ends the login it came from, and no other', async t => {
  const site = await openSite(t)
  const [first, other, graces] = [await site.tokens('ada'), await site.tokens('ada'), await site.tokens('grace')]
  const second = await refreshed(site, first.refresh_token)
  const streams = [await open(site, first.access_token), await open(site, second.access_token)]
  const spared = [await open(site, other.access_token), await open(site, graces.access_token)]

  await isRefused(t, site, first.refresh_token)
  for (const stream of streams) await stream.closed
  for (const { access_token } of [first, second]) t.is(await statusOf(site, access_token), 401)
  t.is((await open(site, second.access_token)).status, 401)
  await isRefused(t, site, second.refresh_token)

  await site.services.notify('ada', 'for the other login')
  await site.services.notify('grace', 'for grace')
  for (const stream of spared) await stream.next()
  for (const { refresh_token } of [other, graces]) t.is((await refresh(site, refresh_token)).status, 200)
})

for (const engine of ['memory', 'Redis'] as const) {
  test(`${engine}: of many uses of one refresh token at once, one gets an answer, and the login ends`, async t => {
    // Without Redis there is one instance only.
    const [one, two = one] = engine === 'Redis' ? await openInstances(t, await startRedis(t)) : [await openSite(t)]
    const first = await one.tokens('ada')
    const stream = await open(two, first.access_token)
    const answers = await Promise.all([one, two, one, two].map(site => refresh(site, first.refresh_token)))
    t.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400, 400])

    const winner = answers.find(({ status }) => status === 200)
    const second = (await winner?.json()) as Tokens
    await stream.closed
    for (const site of [one, two]) {
      for (const { access_token } of [first, second]) t.is(await statusOf(site, access_token), 401)
      await isRefused(t, site, second.refresh_token)
    }
  })
}

test('with Redis, a login is refreshed and ended on any instance, and its streams close on all of them', async t => {
  const [one, two] = await openInstances(t, await startRedis(t))
  const first = await one.tokens('ada')
  const second = await refreshed(two, first.refresh_token)
  const streams = [await open(one, second.access_token), await open(two, first.access_token)]
  const response = await fetch(`${one.url}/api/token`, { method: 'DELETE', headers: bearer(second.access_token) })
  t.is(response.status, 204)
  for (const stream of streams) await stream.closed
  for (const site of [one, two]) {
    for (const { access_token } of [first, second]) t.is(await statusOf(site, access_token), 401)
    await isRefused(t, site, second.refresh_token)
  }
})

test('refresh tokens run out when they are not used, and for good a month after the login', async t => {
  const clock = new ManualClock()
  const site = await openSite(t, {}, { clock })
  const idle = await site.tokens('ada')
  let busy = await site.tokens('ada')
  clock.advance(IDLE_LIFETIME - 1)
  busy = await refreshed(site, busy.refresh_token)
  clock.advance(1)
  await isRefused(t, site, idle.refresh_token)
  for (let day = IDLE_LIFETIME; day + DAY < LOGIN_LIFETIME; day += DAY) {
    clock.advance(DAY)
    busy = await refreshed(site, busy.refresh_token)
  }
  clock.advance(DAY)
  await isRefused(t, site, busy.refresh_token)
})

test('a refresh token is good for its own user, and for nothing but refreshing', async t => {
  const site = await openSite(t)
  const [adas, graces] = [await site.tokens('ada'), await site.tokens('grace')]
  const { access_token } = await refreshed(site, graces.refresh_token)
  const stream = await open(site, access_token)
  await site.services.notify('ada', 'for ada')
  await site.services.notify('grace', 'for grace')
  t.regex((await stream.next()).data, /for grace/)
  t.is(await statusOf(site, adas.refresh_token), 401)

  // One's handle with another's secret.
  const [handle = ''] = adas.refresh_token.split('.')
  const [, secret = ''] = graces.refresh_token.split('.')
  await isRefused(t, site, `${handle}.${secret}`)
})

test('what is no refresh token brings nothing', async t => {
  const site = await openSite(t)
  const { refresh_token: good, access_token: access } = await site.tokens('ada')
  const junk = [
    'x',
    good.slice(0, -1),
    `${good}A`,
    ` ${good}`,
    `${'A'.repeat(22)}.${'A'.repeat(43)}`,
    access,
    '__proto__',
  ]
  for (const token of junk) await isRefused(t, site, token)
  const errorOf = async (body: Record<string, string>) => {
    const response = await site.askForTokens(body)
    return [response.status, await response.json()] as unknown
  }
  t.deepEqual(await errorOf({ grant_type: 'refresh_token' }), [400, { error: 'invalid_request' }])
  t.deepEqual(await errorOf({ grant_type: 'implicit' }), [400, { error: 'unsupported_grant_type' }])
  t.is((await refresh(site, good)).status, 200)
})

test('a login holds so many access tokens: the oldest are worth nothing', async t => {
  const site = await openSite(t)
  let pair = await site.tokens('ada')
  const all = [pair]
  for (let time = 0; time < MOST_ACCESS_TOKENS; time++) {
    pair = await refreshed(site, pair.refresh_token)
    all.push(pair)
  }
  const [oldest, ...rest] = await Promise.all(all.map(({ access_token }) => statusOf(site, access_token)))
  t.is(oldest, 401)
  t.deepEqual(new Set(rest), new Set([200]))
})

test('Redis keeps no token that could be used, and nothing for longer than it is good', async t => {
  const redis = await startRedis(t)
  const site = await openSite(t, { redisUrl: patientUrl(redis) })
  const pairs = [await site.tokens('ada')]
  pairs.push(await refreshed(site, pairs[0]?.refresh_token ?? ''))
  const admin = new Redis(redis.url)
  t.teardown(() => admin.disconnect())
  const logins = await admin.keys('quayside:logins:*')
  t.is(logins.length, 1)
  for (const key of logins) {
    const stored = `${key} ${(await admin.get(key)) ?? ''}`
    for (const secret of pairs.flatMap(secretsOf)) t.false(stored.includes(secret))
    const ttl = await admin.pttl(key)
    t.true(ttl > 0 && ttl <= IDLE_LIFETIME)
  }
})

test('no token shows in what is told of a failure', async t => {
  const redis = await startRedis(t)
  const site = await openSite(t, { redisUrl: patientUrl(redis) })
  site.app.silent = true
  const told: string[] = []
  site.app.on('error', (error: Error, ctx: unknown) => told.push(inspect([error, ctx], { depth: 8 })))
  const pair = await site.tokens('ada')
  await isRefused(t, site, `${pair.refresh_token.slice(0, -4)}AAAA`)
  await redis.stop()
  t.is((await refresh(site, pair.refresh_token)).status, 500)
  t.is(told.length, 1)
  for (const secret of secretsOf(pair)) t.false(told.join().includes(secret))
})

function secretsOf({ access_token, refresh_token }: Tokens): string[] {
  return [access_token, refresh_token, ...refresh_token.split('.')]
}
