import { once } from 'node:events'
import { connect, type IncomingHttpHeaders } from 'node:http2'
import test from 'ava'
import Koa from 'koa'
import { bearerToken } from '../../../lib/auth/jwt/bearer-token.ts'
import { serveHttp2 } from '../../support/http.ts'
import { whoAmI } from '../who-am-i.ts'
import { INVALID_TOKEN, openEndpoint } from './endpoint.ts'
import { AUDIENCE, claims, ISSUER, issue, lastingClaims, SECRET } from './keys.ts'

const options = { key: SECRET, algorithms: ['HS256'] } as const

const MALFORMED = {
  status: 400,
  code: 'ERR_AUTH_MALFORMED',
  challenge:
    'Bearer realm="events", error="invalid_request", error_description="The request must carry one well-formed bearer token"',
}

test('no credentials, or another scheme’s, are not ours to judge', async t => {
  const { sendHeaders, identities } = await openEndpoint(t, options)
  for (const lines of [[], ['Authorization', ''], ['Authorization', 'Basic YTpi'], ['Authorization', 'Bearers x']]) {
    t.is(await sendHeaders(lines), 401)
  }
  t.deepEqual(identities, [])
})

test('the scheme may be in any case, and the token a few spaces away', async t => {
  const { sendHeaders, clock } = await openEndpoint(t, options)
  const token = issue(claims(clock.now()), 'HS256', SECRET)
  for (const prefix of ['Bearer ', 'bearer ', 'BEARER   '])
    t.is(await sendHeaders(['authorization', prefix + token]), 200)
})

test('what is announced as a token and is none is malformed', async t => {
  const { send, sendHeaders, clock } = await openEndpoint(t, options)
  const token = issue(claims(clock.now()), 'HS256', SECRET)
  t.is(await sendHeaders(['Authorization', 'Bearer']), 400)
  for (const broken of [
    `${token} ${token}`,
    `${token},${token}`,
    `"${token}"`,
    `${token}, Basic YTpi`,
    '=',
    'a=b',
    'ä',
  ]) {
    t.like(await send(broken), MALFORMED, broken)
  }
  t.is(await sendHeaders(['Authorization', `Bearer\t${token}`]), 400)
})

test('two Authorization headers are malformed, whatever they say', async t => {
  const { sendHeaders, clock } = await openEndpoint(t, options)
  const bearer = `Bearer ${issue(claims(clock.now()), 'HS256', SECRET)}`
  t.is(await sendHeaders(['Authorization', bearer]), 200)
  t.is(await sendHeaders(['Authorization', bearer, 'Authorization', bearer]), 400)
  t.is(await sendHeaders(['Authorization', bearer, 'authorization', 'Basic YTpi']), 400)
  t.is(await sendHeaders(['Authorization', 'Basic YTpi', 'AUTHORIZATION', bearer]), 400)
  t.is(await sendHeaders(['X-Copy', 'authorization', 'Authorization', bearer]), 200)
})

test('an opaque token is refused', async t => {
  const { send } = await openEndpoint(t, options)
  for (const token of ['opaque', 'a.b', 'a.b.c', '..', 'a..c', 'a.b.c.d.e', 'e30.e30.', 'W10.e30.x', 'bnVsbA.e30.x']) {
    t.like(await send(token), INVALID_TOKEN, token)
  }
})

test('a large token is refused before any key is looked for', async t => {
  let lookups = 0
  const getKey = async () => {
    lookups++
    return SECRET
  }
  const { send, clock } = await openEndpoint(t, { getKey, algorithms: ['HS256'] })
  const sized = (bytes: number) => {
    const short = issue(claims(clock.now(), { pad: '' }), 'HS256', SECRET, { kid: 'a' })
    // Three bytes of JSON are four of base64.
    return issue(
      claims(clock.now(), { pad: 'x'.repeat(Math.floor(((bytes - short.length) / 4) * 3)) }),
      'HS256',
      SECRET,
      {
        kid: 'a',
      },
    )
  }
  t.like(await send(sized(8 * 1024 + 4)), INVALID_TOKEN)
  t.like(await send('x'.repeat(12 * 1024)), INVALID_TOKEN)
  t.is(lookups, 0)
  const largest = sized(8 * 1024)
  t.true(largest.length > 8 * 1024 - 8)
  t.is((await send(largest)).status, 200)
  t.is(lookups, 1)
})

test('`maxBytes` bounds it', async t => {
  const { send, clock } = await openEndpoint(t, { ...options, maxBytes: 100 })
  t.like(await send(issue(claims(clock.now()), 'HS256', SECRET)), INVALID_TOKEN)
})

test('over HTTP/2 it is the same header', async t => {
  const authenticator = bearerToken({ ...options, issuer: ISSUER, audience: AUDIENCE })
  const { url } = await serveHttp2(new Koa().use(whoAmI(authenticator)), t)
  const session = connect(url)
  t.teardown(() => {
    session.destroy()
  })
  for (const [key, status] of [
    [SECRET, 200],
    [Buffer.alloc(32), 401],
  ] as const) {
    const authorization = `Bearer ${issue(lastingClaims(), 'HS256', key)}`
    const [headers] = (await once(session.request({ authorization }), 'response')) as [IncomingHttpHeaders]
    t.is(Number(headers[':status']), status)
  }
})
