import test, { type ExecutionContext } from 'ava'
import type { Context } from 'koa'
import { openApi } from './api.ts'

const ORIGIN = 'https://app.example'

const openByCookie = (t: ExecutionContext, tokenFrom = (ctx: Context) => ctx.cookies.get('token')) =>
  openApi(t, { bearer: { tokenFrom }, stream: { origins: [ORIGIN] } })

test('a JWT in an HttpOnly cookie opens a stream, which ends with it', async t => {
  const { open, token, clock, opens } = await openByCookie(t)
  const stream = await open(undefined, { cookie: `token=${token()}` })
  t.is(stream.status, 200)
  t.like(opens[0]?.stream.identity, { id: 'ada', scheme: 'bearer' })
  clock.advance(60_000)
  await stream.closed
})

test('such a token may be revoked', async t => {
  const { open, token, clock, hub } = await openByCookie(t)
  const cookie = `token=${token({ jti: 'a' })}`
  const stream = await open(undefined, { cookie })
  await hub.revoke('a', clock.now() + 60_000)
  await stream.closed
  t.is((await open(undefined, { cookie })).status, 401)
})

test('browsers send cookies by themselves, so the origin is checked', async t => {
  const { open, token } = await openByCookie(t)
  const cookie = `token=${token()}`
  t.is((await open(undefined, { cookie, origin: 'https://evil.example' })).status, 403)
  t.is((await open(undefined, { cookie, 'sec-fetch-site': 'cross-site' })).status, 403)
  t.is((await open(undefined, { cookie, origin: ORIGIN })).status, 200)
})

test('the header counts for nothing then, and no token is nobody', async t => {
  const { open, token } = await openByCookie(t)
  t.is((await open(token())).status, 401)
  t.is((await open()).status, 401)
  t.is((await open(undefined, { cookie: 'token=' })).status, 401)
})

test('what is no token is refused as a bad one', async t => {
  const { open, token } = await openByCookie(t)
  for (const value of ['x', 'a.b.c', 'x'.repeat(8_193), `${token()}!`]) {
    const { status, headers } = await open(undefined, { cookie: `token=${value}` })
    t.is(status, 401)
    t.regex(String(headers['www-authenticate']), /error="invalid_token"/)
  }
})

const broken = () => {
  throw new Error('broken')
}

for (const [how, fails] of [
  ['throws', broken],
  ['answers a promise', async () => 'token'],
  ['answers junk', () => 7],
] as const) {
  test(`a tokenFrom that ${how} is an error of the application's`, async t => {
    const { open, errors, refusals } = await openByCookie(t, fails as never)
    t.is((await open()).status, 500)
    t.is(errors.splice(0).length, 1)
    t.like(refusals, [{ reason: 'unavailable', status: 500 }])
  })
}
