import { createHmac } from 'node:crypto'
import test from 'ava'
import { forge, pem, claims, RSA, SECRET, seconds } from '../auth/jwt/keys.ts'
import { openStream } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { Pause } from '../support/pause.ts'
import { openApi } from './api.ts'

const INVALID = 'Bearer realm="events", error="invalid_token", error_description="The access token is not valid here"'
const EXPIRED = 'Bearer realm="events", error="invalid_token", error_description="The access token has expired"'

test('a good token gets a stream, and its events', async t => {
  const { hub, open, token, opens } = await openApi(t)
  const stream = await open(token())
  t.is(stream.status, 200)
  await stream.next(({ event }) => event === 'cursor')
  await hub.publish('news', { data: 'hello' })
  t.like(await stream.next(), { data: 'hello' })
  t.like(opens[0]?.stream.identity, { id: 'ada', scheme: 'bearer', claims: { sub: 'ada' } })
})

test('a bad one gets 401 before the resolver is asked, and the process lives', async t => {
  let asked = 0
  const subscribe = () => {
    asked += 1
    return 'news'
  }
  const { clock, open, token, hub } = await openApi(t, { stream: { subscribe } })
  const now = clock.now()
  const unsigned = forge({ alg: 'none' }, claims(now), SECRET).replace(/[^.]*$/, '')
  const bad: [string, string, string][] = [
    ['none', unsigned, INVALID],
    ['an algorithm that is not listed', forge({ alg: 'HS384' }, claims(now), SECRET), INVALID],
    ['no end', token({ exp: undefined }), INVALID],
    ['an end in milliseconds', token({ exp: now + 60_000 }), INVALID],
    ['past', token({ exp: seconds(now) - 1 }), EXPIRED],
    ['to come', token({ nbf: seconds(now) + 60 }), INVALID],
    ['another audience', token({ aud: 'https://elsewhere.example' }), INVALID],
    ['another issuer', token({ iss: 'https://elsewhere.example' }), INVALID],
    ['null', forge({ alg: 'HS256' }, 'null', SECRET), INVALID],
    ['crit', forge({ alg: 'HS256', crit: ['b64'] }, claims(now), SECRET), INVALID],
    ['nobody', token({ sub: undefined }), INVALID],
    ['8 KiB', token({ filler: 'x'.repeat(8_192) }), INVALID],
    ['another key', forge({ alg: 'HS256' }, claims(now), Buffer.alloc(64)), INVALID],
  ]
  for (const [name, credentials, challenge] of bad) {
    const refused = await open(credentials)
    t.is(refused.status, 401, name)
    t.is(refused.headers['www-authenticate'], challenge, name)
    t.is(await refused.text(), 'Unauthorized')
  }
  t.is(asked, 0)
  t.like(hub.stats(), { streams: 0, identities: 0, opened: 0, refused: { unauthenticated: bad.length } })
  t.is((await open(token())).status, 200)
})

test('the text of a public key is no secret to sign with', async t => {
  const key = pem(RSA.publicKey)
  const { clock, open } = await openApi(t, { bearer: { key: RSA.publicKey, algorithms: ['RS256'] } })
  const [header, payload] = forge({ alg: 'HS256' }, claims(clock.now()), SECRET).split('.')
  const signature = createHmac('sha256', key).update(`${header}.${payload}`).digest('base64url')
  t.is((await open(`${header}.${payload}.${signature}`)).status, 401)
  t.is((await open(forge({ alg: 'RS256' }, claims(clock.now()), RSA.privateKey))).status, 200)
})

test('each failure has its status and its challenge', async t => {
  const { open, token, url, refusals } = await openApi(t, { bearer: { scope: ['events:read', 'news:read'] } })
  const none = await open()
  t.is(none.status, 401)
  t.is(none.headers['www-authenticate'], 'Bearer realm="events"')
  const broken = await open('not a token')
  t.is(broken.status, 400)
  t.regex(broken.headers['www-authenticate'] ?? '', /^Bearer realm="events", error="invalid_request"/)
  const doubled = await openStream(url, { headers: { authorization: [`Bearer ${token()}`, 'Basic YTpi'] as never } })
  t.is(doubled.status, 400)
  const narrow = await open(token({ scope: 'events:read' }))
  t.is(narrow.status, 403)
  t.regex(narrow.headers['www-authenticate'] ?? '', /error="insufficient_scope".*scope="events:read news:read"$/)
  t.is((await open(token({ scope: 'news:read other events:read' }))).status, 200)
  t.deepEqual(
    refusals.map(({ reason, status }) => [reason, status]),
    [
      ['unauthenticated', 401],
      ['unauthenticated', 400],
      ['unauthenticated', 400],
      ['forbidden', 403],
    ],
  )
})

test('a key server that is down is 503, without a challenge that would have the client throw its token away', async t => {
  const keys = () => Promise.reject(new Error('connect ECONNREFUSED'))
  const { open, clock, refusals } = await openApi(t, { bearer: { keys } })
  const refused = await open(forge({ alg: 'HS256', kid: 'a' }, claims(clock.now()), SECRET))
  t.is(refused.status, 503)
  t.is(refused.headers['www-authenticate'], undefined)
  t.is(await refused.text(), 'Service Unavailable')
  t.like(refusals, [{ reason: 'unavailable', error: { code: 'ERR_AUTH_UNAVAILABLE' } }])
})

test('the stream ends when its token does, and not before', async t => {
  const { open, token, clock, closes } = await openApi(t)
  const [early, late] = [await open(token()), await open(token({ exp: seconds(clock.now()) + 120 }))]
  clock.advance(59_999)
  t.deepEqual(closes, [])
  clock.advance(1)
  t.is(await early.closed, 'end')
  t.like(closes, [{ reason: 'expired', duration: 60_000 }])
  clock.advance(60_000)
  t.is(await late.closed, 'end')
  t.is(closes.length, 2)
})

test('what `identify` says ends it earlier', async t => {
  const clock = new ManualClock()
  const expiresAt = clock.now() + 10_000
  const { open, token, closes } = await openApi(t, {
    clock,
    bearer: { identify: ({ sub = '' }) => ({ id: sub, expiresAt }) },
  })
  const stream = await open(token())
  clock.advance(10_000)
  t.is(await stream.closed, 'end')
  t.like(closes, [{ reason: 'expired' }])
})

test('a token that ends while the resolver is slow opens no stream', async t => {
  const pause = new Pause()
  const subscribe = async () => {
    await pause.wait()
    return 'news'
  }
  const { open, token, clock, hub } = await openApi(t, { stream: { subscribe, limits: { timeout: 120_000 } } })
  const request = open(token())
  await pause.reached
  clock.advance(60_000)
  pause.end()
  const refused = await request
  t.is(refused.status, 401)
  t.is(refused.headers['www-authenticate'], INVALID)
  t.like(hub.stats(), { streams: 0, opened: 0 })
})
