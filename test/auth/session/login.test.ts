import test from 'ava'
import type { Context } from 'koa'
import type { CreateSessionOptions } from 'koa-session'
import { sessionCookie } from '../../../lib/auth/session/session-cookie.ts'
import { koaVersions } from '../../support/koa-versions.ts'
import { CountingStore, openSite } from './site.ts'

const identify = (session: { userId?: string }) => session.userId && { id: session.userId }

for (const [version, Koa] of koaVersions) {
  test(`${version}: who is logged in is known by the session`, async t => {
    const store = new CountingStore()
    const site = await openSite(t, sessionCookie({ identify }), { store }, new Koa())
    const visitor = site.visitor()
    t.is((await visitor.whoAmI()).status, 401)
    await visitor.visit('/login?user=ada')
    const { status, identity } = await visitor.whoAmI()
    t.is(status, 200)
    const [session = ''] = store.sessions.keys()
    t.deepEqual(identity, { id: 'ada', scheme: 'session', session })
    await visitor.visit('/logout')
    t.is((await visitor.whoAmI()).status, 401)
  })

  test(`${version}: a session that is only read is never written`, async t => {
    const store = new CountingStore()
    const site = await openSite(t, sessionCookie({ identify }), { store }, new Koa())
    const newcomer = await site.visitor().visit('/me')
    t.deepEqual(newcomer.headers.getSetCookie(), [])
    t.is(store.writes, 0)
    const visitor = site.visitor()
    await visitor.visit('/login?user=ada')
    const response = await visitor.visit('/me')
    t.is(response.status, 200)
    t.deepEqual(response.headers.getSetCookie(), [])
    t.is(store.writes, 1)
  })
}

test('a rolling session is prolonged by koa-session alone, once a request', async t => {
  const store = new CountingStore()
  const site = await openSite(t, sessionCookie({ identify }), { store, rolling: true })
  const visitor = site.visitor()
  await visitor.visit('/login?user=ada')
  const response = await visitor.visit('/me')
  t.is(store.writes, 2)
  t.is(response.headers.getSetCookie().length, 2, 'the cookie and its signature')
})

test('a forged or unsigned cookie opens nothing', async t => {
  const store = new CountingStore()
  store.sessions.set('guessed', { userId: 'ada' })
  const site = await openSite(t, sessionCookie({ identify }), { store })
  t.is((await site.visitor({ 'koa.sess': 'guessed' }).whoAmI()).status, 401)
  t.is((await site.visitor({ 'koa.sess': 'guessed', 'koa.sess.sig': 'x'.repeat(27) }).whoAmI()).status, 401)
  t.is(store.writes, 0)
})

test('an expired session is nobody', async t => {
  const store = new CountingStore()
  const site = await openSite(t, sessionCookie({ identify }), { store })
  const visitor = site.visitor()
  await visitor.visit('/login?user=ada')
  for (const data of store.sessions.values()) data._expire = Date.now() - 1
  t.is((await visitor.whoAmI()).status, 401)
})

test('a ContextStore, a key of one’s own and manual commits work', async t => {
  const store = new CountingStore()
  class ContextStore {
    get(key: string) {
      return store.get(key)
    }
    set(key: string, data: Record<string, unknown>) {
      return store.set(key, data)
    }
    destroy(key: string) {
      return store.destroy(key)
    }
  }
  const externalKey = {
    get: (ctx: Context) => ctx.cookies.get('own') ?? '',
    set: (ctx: Context, key: string) => {
      ctx.cookies.set('own', key)
    },
  }
  const variants: CreateSessionOptions[] = [{ ContextStore }, { store, externalKey }, { store, autoCommit: false }]
  for (const options of variants) {
    const authenticator = sessionCookie({ identify })
    const site = await openSite(t, authenticator, options)
    const visitor = site.visitor()
    await visitor.visit('/login?user=ada')
    t.is((await visitor.whoAmI()).identity?.id, 'ada')
    const [identity] = site.identities
    t.true(identity && (await authenticator.revalidation?.holds(identity)))
    await visitor.visit('/logout')
    // Without autoCommit, koa-session has no way to commit a session that was set to null.
    t.is(identity && (await authenticator.revalidation?.holds(identity)), options.autoCommit === false)
  }
})

test('what identify answers makes the identity', async t => {
  const store = new CountingStore()
  const expiresAt = Date.now() + 60_000
  const authenticator = sessionCookie({
    identify: async ({ userId }) => ({ id: Number(userId), expiresAt, claims: { roles: ['admin'] } }),
  })
  const site = await openSite(t, authenticator, { store })
  const visitor = site.visitor()
  t.is((await visitor.whoAmI()).status, 401, 'an empty session is not asked about')
  await visitor.visit('/login?user=7')
  const { identity } = await visitor.whoAmI()
  t.like(identity, { id: '7', expiresAt, claims: { roles: ['admin'] } })
})

test('an answer of identify that is neither a holder nor falsy is an error, not a login', async t => {
  const answers: unknown[] = [
    {},
    { id: '' },
    { id: {} },
    { id: NaN },
    'ada',
    { id: 'a', expiresAt: '1' },
    { id: 'a', claims: [] },
  ]
  for (const answer of answers) {
    const store = new CountingStore()
    const site = await openSite(t, sessionCookie({ identify: () => answer }), { store })
    const visitor = site.visitor()
    await visitor.visit('/login?user=ada')
    t.is((await visitor.whoAmI()).status, 500, JSON.stringify(answer))
  }
  for (const nobody of [undefined, null, false, '', 0]) {
    const site = await openSite(t, sessionCookie({ identify: () => nobody }), { store: new CountingStore() })
    const visitor = site.visitor()
    await visitor.visit('/login?user=ada')
    t.is((await visitor.whoAmI()).status, 401)
  }
})

test('identify gets the application’s fields only, and cannot change the session', async t => {
  const store = new CountingStore()
  const seen: unknown[] = []
  const authenticator = sessionCookie({
    identify: (session: Record<string, unknown>) => {
      seen.push({ ...session })
      session.userId = 'eve'
      return { id: 'ada' }
    },
  })
  const site = await openSite(t, authenticator, { store })
  const visitor = site.visitor()
  await visitor.visit('/login?user=ada')
  await visitor.whoAmI()
  const [identity] = site.identities
  t.true(identity && (await authenticator.revalidation?.holds(identity)))
  t.deepEqual(seen, [{ userId: 'ada' }, { userId: 'ada' }])
  t.is(store.writes, 1)
})

test('the key of the session stays out of what is logged', async t => {
  const site = await openSite(t, sessionCookie({ identify }), { store: new CountingStore() })
  const visitor = site.visitor()
  await visitor.visit('/login?user=ada')
  await visitor.whoAmI()
  const [identity] = site.identities
  t.is(typeof identity?.session, 'string')
  t.is(JSON.stringify(identity), '{"id":"ada","scheme":"session"}')
})
