import test from 'ava'
import { sessionCookie } from '../../../lib/auth/session/session-cookie.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { openSite } from './site.ts'

const identify = (session: { userId?: string }) => session.userId && { id: session.userId }
const MINUTE = 60_000

test('the stream ends when the cookie does', async t => {
  const clock = new ManualClock(Date.now())
  const site = await openSite(t, sessionCookie({ identify, clock }), { maxAge: MINUTE })
  const visitor = site.visitor()
  const before = Date.now()
  await visitor.visit('/login?user=ada')
  const after = Date.now()
  const { identity } = await visitor.whoAmI()
  const expiresAt = identity?.expiresAt ?? 0
  t.true(expiresAt >= before + MINUTE && expiresAt <= after + MINUTE)
  t.false('session' in (identity ?? {}))
})

test('a cookie of this very request ends after maxAge', async t => {
  const clock = new ManualClock(Date.now())
  for (const [maxAge, lifetime] of [
    [MINUTE, MINUTE],
    [undefined, 24 * 60 * MINUTE],
  ] as const) {
    const site = await openSite(t, sessionCookie({ identify, clock }), maxAge === undefined ? {} : { maxAge })
    const { identity } = await site.visitor().whoAmI('/login-me?user=ada')
    t.is(identity?.expiresAt, clock.now() + lifetime)
  }
})

test('a cookie that ends with the browser has no end to tell', async t => {
  const site = await openSite(t, sessionCookie({ identify }), { maxAge: 'session' })
  const visitor = site.visitor()
  t.false('expiresAt' in ((await visitor.whoAmI('/login-me?user=ada')).identity ?? {}))
  t.false('expiresAt' in ((await visitor.whoAmI()).identity ?? {}))
})

test('identify can end it earlier, not later', async t => {
  const clock = new ManualClock(Date.now())
  for (const [offset, end] of [
    [-1, undefined],
    [1_000, 1_000],
    [2 * MINUTE, MINUTE],
  ] as const) {
    const authenticator = sessionCookie({ identify: () => ({ id: 'ada', expiresAt: clock.now() + offset }), clock })
    const site = await openSite(t, authenticator, { maxAge: MINUTE })
    const { status, identity } = await site.visitor().whoAmI('/login-me?user=ada')
    t.is(status, end === undefined ? 401 : 200)
    t.is(identity?.expiresAt, end && clock.now() + end)
  }
})

test('there is nothing to look up again', async t => {
  const authenticator = sessionCookie({ identify })
  const site = await openSite(t, authenticator, {})
  const visitor = site.visitor()
  await visitor.visit('/login?user=ada')
  await visitor.whoAmI()
  await visitor.visit('/logout')
  const [identity] = site.identities
  t.true(identity && authenticator.revalidation?.holds(identity))
})

test('a cookie that was tampered with is nobody', async t => {
  const site = await openSite(t, sessionCookie({ identify }), {})
  const forged = Buffer.from(JSON.stringify({ userId: 'ada', _expire: Date.now() + MINUTE })).toString('base64')
  t.is((await site.visitor({ 'koa.sess': forged }).whoAmI()).status, 401)
  t.is((await site.visitor({ 'koa.sess': forged, 'koa.sess.sig': 'x'.repeat(27) }).whoAmI()).status, 401)
})
