import test from 'ava'
import type { Context, Middleware } from 'koa'
import { createHub, requireIdentity, sessionCookie, urlTicket, watchSessions } from 'koa-event-stream'
import type { CreateSessionOptions } from 'koa-session'
import { CountingStore } from '../auth/session/site.ts'
import { Pause } from '../support/pause.ts'
import { identify, openSite } from './site.ts'

const isAsked = ({ path }: Context) => ['/events', '/me', '/ticket'].includes(path)

const change: Middleware = (ctx, next) => {
  if (isAsked(ctx)) ctx.session.seen = ctx.path
  return next()
}

const readLater: Middleware = async (ctx, next) => {
  await next()
  if (isAsked(ctx)) ctx.session.seen = ctx.path
}

const nothing: Middleware = (_, next) => next()

const VARIANTS: readonly [string, CreateSessionOptions, Middleware][] = [
  ['as it was', {}, nothing],
  ['rolling', { rolling: true }, nothing],
  ['changed', {}, change],
  ['changed once it was refused', {}, readLater],
]

for (const [kind, options, inner] of VARIANTS) {
  for (const isWatched of [true, false]) {
    for (const [path, method] of [
      ['/events', 'GET'],
      ['/me', 'GET'],
      ['/ticket', 'POST'],
    ] as const) {
      test.serial(
        `a session ${kind}, ${isWatched ? 'watched' : 'not watched'}: ${path} leaves the cookie alone that another request has renewed`,
        async t => {
          const hub = createHub()
          const sessions = new CountingStore()
          const store = isWatched ? watchSessions(sessions, hub) : sessions
          const pause = new Pause()
          const limits = { rate: { identity: { consume: () => pause.wait() } } }
          const authenticate = sessionCookie({ identify })
          const guard = requireIdentity({ hub, authenticate, limits })
          const tickets = urlTicket({ hub, audience: 'news', authenticate, limits })
          const routes: Middleware = async (ctx, next) => {
            await inner(ctx, async () => {
              if (ctx.path === '/me') await guard(ctx, async () => void (ctx.body = 'me'))
              else if (ctx.path === '/ticket') await tickets.issue(ctx)
              else await next()
            })
          }
          const site = await openSite(t, { hub, session: { store, ...options }, inner: routes, stream: { limits } })
          const ada = await site.loggedIn('ada')
          const { cookie } = ada
          const asking = fetch(`${site.url}${path}`, { method, headers: { cookie } })
          await pause.reached
          await ada.visit('/regenerate?user=ada')
          const renewed = structuredClone([...sessions.sessions])
          pause.end()
          const refused = await asking
          t.is(refused.status, 401)
          t.deepEqual(refused.headers.getSetCookie(), [])
          t.deepEqual([...sessions.sessions], renewed)
        },
      )
    }
  }
}

test('where the store cannot tell whether a session is still there, a refused request neither saves nor ends it', async t => {
  const store = new CountingStore()
  const { get } = store
  const subscribe = (_: unknown, ctx: Context): never => {
    ctx.session.seen = 'events'
    store.get = () => Promise.reject(new Error('connection refused'))
    return ctx.throw(403)
  }
  const site = await openSite(t, { session: { store }, stream: { subscribe } })
  const ada = await site.loggedIn('ada')
  const { writes } = store
  const refused = await ada.openStream()
  t.is(refused.status, 403)
  t.is(refused.headers['set-cookie'], undefined)
  t.is(store.writes, writes)
  t.like(site.faults, [{ during: 'forget', error: { message: 'connection refused' } }])
  store.get = get
  t.is((await ada.visit('/page')).status, 200)
})
