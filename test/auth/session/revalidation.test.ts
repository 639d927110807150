import { EventEmitter, once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import type { CreateSessionOptions } from 'koa-session'
import { AuthenticationError } from '../../../lib/auth/authentication-error.ts'
import { createIdentity } from '../../../lib/auth/identity.ts'
import { DEFAULT_GRACE, DEFAULT_REVALIDATE } from '../../../lib/auth/revalidation.ts'
import { sessionCookie } from '../../../lib/auth/session/session-cookie.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { CountingStore, openSite } from './site.ts'

const identify = (session: { userId?: string }) => session.userId && { id: session.userId }

/** A visitor who has logged in and opened a stream, and the question whether that login holds. */
async function openStream(t: ExecutionContext, options: CreateSessionOptions = {}, path = '/me') {
  const store = new CountingStore()
  const clock = new ManualClock(Date.now())
  const authenticator = sessionCookie({ identify, clock })
  const site = await openSite(t, authenticator, { store, ...options })
  const visitor = site.visitor()
  if (path === '/me') await visitor.visit('/login?user=ada')
  t.is((await visitor.whoAmI(path)).status, 200)
  const holds = async () => {
    const [identity] = site.identities
    if (!identity || !authenticator.revalidation) throw new Error('no identity, or no way to ask about it')
    return authenticator.revalidation.holds(identity)
  }
  const expireAt = (time: number) => {
    for (const data of store.sessions.values()) data._expire = time
  }
  return { store, clock, site, visitor, holds, expireAt }
}

test('a session that lives on holds, and asking writes nothing', async t => {
  const { holds, store, clock } = await openStream(t)
  const { reads, writes } = store
  t.true(await holds())
  t.is(store.reads, reads + 1)
  t.is(store.writes, writes)
  t.is(clock.pending, 0, 'no deadline is left behind')
})

test('after log-out it does not hold, at once', async t => {
  const { holds, visitor } = await openStream(t)
  await visitor.visit('/logout')
  t.false(await holds())
})

test('after regenerate() the old session does not hold', async t => {
  const { holds, visitor } = await openStream(t)
  await visitor.visit('/regenerate?user=ada')
  t.false(await holds())
})

test('another user in the same session does not hold', async t => {
  const { holds, visitor, store } = await openStream(t)
  await visitor.visit('/login?user=eve')
  t.is(store.sessions.size, 1)
  t.false(await holds())
})

test('it ends at the expiry in the store, which other requests may have moved', async t => {
  const { holds, clock, expireAt, site } = await openStream(t, { maxAge: 60_000 })
  t.is(site.identities[0]?.expiresAt, undefined)
  expireAt(clock.now() + 60_000)
  clock.advance(60_000)
  t.true(await holds())
  clock.advance(1)
  t.false(await holds())
  expireAt(clock.now() + 60_000)
  t.true(await holds())
})

test('a session that the `valid` of koa-session refuses does not hold', async t => {
  let isValid = true
  const { holds } = await openStream(t, { valid: () => isValid })
  t.true(await holds())
  isValid = false
  t.false(await holds())
})

test('it ends when identify says so', async t => {
  const clock = new ManualClock(Date.now())
  let expiresAt = clock.now() + 60_000
  const authenticator = sessionCookie({ identify: () => ({ id: 'ada', expiresAt }), clock })
  const site = await openSite(t, authenticator, { store: new CountingStore() })
  const visitor = site.visitor()
  await visitor.visit('/login?user=ada')
  await visitor.whoAmI()
  const [identity] = site.identities
  t.true(identity && (await authenticator.revalidation?.holds(identity)))
  expiresAt = clock.now()
  t.false(identity && (await authenticator.revalidation?.holds(identity)))
})

test('a session of the same request is waited for during one interval', async t => {
  const { holds, store, clock } = await openStream(t, {}, '/login-me?user=ada')
  t.is(store.sessions.size, 1)
  store.sessions.clear()
  t.true(await holds())
  clock.advance(DEFAULT_REVALIDATE)
  t.false(await holds())
})

test('a store that fails leaves it open whether the session holds', async t => {
  const { holds, store } = await openStream(t)
  const { get } = store
  store.get = () => Promise.reject(new Error('connection refused'))
  await t.throwsAsync(holds, { message: 'connection refused' })
  store.get = get
  t.true(await holds())
})

test('a frozen store is not waited for longer than the timeout', async t => {
  const { holds, clock, store } = await openStream(t)
  store.get = () => new Promise(() => {})
  const answer = holds()
  clock.advance(5_000)
  await t.throwsAsync(answer, { instanceOf: AuthenticationError, code: 'ERR_AUTH_UNAVAILABLE' })
  t.is(clock.pending, 0)
})

test('an identify that never answers is unavailable', async t => {
  const clock = new ManualClock(Date.now())
  const calls = new EventEmitter()
  const asked = once(calls, 'identify')
  const authenticator = sessionCookie({
    identify: () => {
      calls.emit('identify')
      return new Promise<never>(() => {})
    },
    clock,
    timeout: 1_000,
  })
  const site = await openSite(t, authenticator, { store: new CountingStore() })
  const visitor = site.visitor()
  await visitor.visit('/login?user=ada')
  const answer = visitor.whoAmI()
  await asked
  clock.advance(1_000)
  t.like(await answer, { status: 503, code: 'ERR_AUTH_UNAVAILABLE' })
})

test('the defaults are 30 seconds and 2 minutes', t => {
  t.like(sessionCookie({ identify }).revalidation, { interval: 30_000, grace: 120_000 })
  t.like(sessionCookie({ identify, revalidate: 1_000, grace: 0 }).revalidation, { interval: 1_000, grace: 0 })
  t.is(DEFAULT_GRACE, 120_000)
})

test('only identities of this authenticator can be asked about', t => {
  const stranger = createIdentity({ id: 'ada', scheme: 'session', session: 'key' })
  t.throws(() => sessionCookie({ identify }).revalidation?.holds(stranger), { instanceOf: TypeError })
})
