import test from 'ava'
import type { Context, Middleware } from 'koa'
import { createHub, stateUser, watchSessions, type Hub } from 'koa-event-stream'
import type { CreateSessionOptions } from 'koa-session'
import { currentKey } from '../../lib/auth/session-key.ts'
import { CountingStore } from '../auth/session/site.ts'
import { openSite, type SiteOptions } from './site.ts'

/** Gives the session of each request for a stream a new key, as sites do that renew it now and then. */
const rotate: Middleware = async (ctx, next) => {
  if (ctx.path === '/events') await ctx.session.regenerate()
  await next()
}

/** Logs in and answers with the stream in one request. */
const logIn: Middleware = async (ctx, next) => {
  if (ctx.path === '/events') {
    await ctx.session.regenerate()
    ctx.session.userId = 'ada'
    await ctx.session.save()
  }
  await next()
}

const ofState = stateUser({
  identify: (user: { id: string }, ctx) => ({ id: user.id, session: String(ctx.session.externalKey) }),
})

/** As passport does it. */
const deserialize: Middleware = async (ctx, next) => {
  if (ctx.session.userId !== undefined) ctx.state.user = { id: ctx.session.userId }
  await rotate(ctx, next)
}

const ownKey = {
  get: (ctx: Context) => ctx.cookies.get('own') ?? '',
  set: (ctx: Context, key: string) => {
    ctx.cookies.set('own', key)
  },
}

const VARIANTS: readonly [string, Omit<SiteOptions, 'hub' | 'session'>, CreateSessionOptions?][] = [
  ['a session that is rotated', { inner: rotate }],
  ['a session that is rotated, and rolls', { inner: rotate }, { rolling: true }],
  ['a session that is rotated, with a key of one’s own', { inner: rotate }, { externalKey: ownKey }],
  ['a login in the same request', { inner: logIn }],
  ['a user of ctx.state', { inner: deserialize, stream: { authenticate: ofState } }],
]

for (const [what, site, options] of VARIANTS) {
  for (const isWatched of [true, false]) {
    test(`${what}, ${isWatched ? 'watched' : 'not watched'}: the stream belongs to the new session, and nobody is logged out`, async t => {
      const hub: Hub = createHub()
      const sessions = new CountingStore()
      const store = isWatched ? watchSessions(sessions, hub) : sessions
      const { loggedIn } = await openSite(t, { hub, session: { store, ...options }, ...site })
      const opened: (string | undefined)[] = []
      hub.on('open', ({ stream }) => opened.push(stream.identity?.session))
      const ada = await loggedIn('ada')
      const stream = await ada.openStream()
      t.is(stream.status, 200)
      await stream.next(({ event }) => event === 'cursor')
      t.deepEqual([...sessions.sessions.keys()], opened as string[])
      await hub.disconnect({ session: opened[0] ?? '' })
      await stream.closed
      t.is((await ada.openStream()).status, 200)
    })
  }
}

test('a resolver that gives the session a new key: the client comes back with that', async t => {
  for (const isWatched of [true, false]) {
    const hub = createHub()
    const sessions = new CountingStore()
    let isDue = true
    const subscribe = async (_: unknown, ctx: Context) => {
      if (isDue) await ctx.session.regenerate()
      isDue = false
      return 'news'
    }
    const store = isWatched ? watchSessions(sessions, hub) : sessions
    const { loggedIn } = await openSite(t, { hub, session: { store }, stream: { subscribe } })
    const ada = await loggedIn('ada')
    const turnedAway = await ada.openStream()
    t.like(await turnedAway.next(), { event: 'goaway', data: '{"reason":"server"}' })
    const stream = await ada.openStream()
    await stream.next(({ event }) => event === 'cursor')
    t.is(sessions.sessions.size, 1)
  }
})

test('of a koa-session that keeps nothing on the context, the key is what it says itself', t => {
  const session = { externalKey: 'said' }
  t.is(currentKey({ session } as unknown as Context, 'said'), 'said')
  const kept = Symbol('of somebody else')
  t.is(currentKey({ session, [kept]: { externalKey: 'other', session: {} } } as unknown as Context, 'said'), 'said')
})
