import test from 'ava'
import type { Middleware } from 'koa'
import {
  createHub,
  requireIdentity,
  sessionCookie,
  urlTicket,
  watchSessions,
  type RateLimiter,
  type SessionCookieOptions,
} from 'koa-event-stream'
import { CountingStore } from '../auth/session/site.ts'
import { Pause } from '../support/pause.ts'
import { identify, openSite, type Data } from './site.ts'

interface Refused {
  readonly status: number
  readonly path?: '/events' | '/me' | '/ticket'
  readonly method?: string
  readonly headers?: Record<string, string>
  /** What becomes of a request that asks, which a login does not. */
  readonly identify?: SessionCookieOptions<Data>['identify']
  readonly requireSecure?: boolean
  readonly isDraining?: boolean
  readonly limiter?: RateLimiter
}

const foreign = { origin: 'https://evil.example' }
const full: RateLimiter = {
  consume: () => {
    // As limiters of rate-limiter-flexible say it.
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    throw { msBeforeNext: 1_000 }
  },
}

const REFUSED: Record<string, Refused> = {
  'an Accept that fits no stream': { status: 406, headers: { accept: 'text/html' } },
  'plain HTTP': { status: 403, requireSecure: true },
  'a drain': { status: 503, isDraining: true },
  'the rate of an address': { status: 429, limiter: full },
  'a page of another origin': { status: 403, headers: foreign },
  'nobody whom the application knows': { status: 401, identify: () => undefined },
  'a login that is over': { status: 401, identify: () => ({ id: 'ada', expiresAt: 1 }) },
  'an application that does not know': { status: 500, identify: () => Promise.reject(new Error('down')) },
  'an application that never answers': { status: 503, identify: () => new Promise(() => undefined) },
  'an ordinary route, a page of another origin': { status: 403, path: '/me', headers: foreign },
  'an ordinary route, the rate of an address': { status: 429, path: '/me', limiter: full },
  'an ordinary route, nobody whom the application knows': { status: 401, path: '/me', identify: () => undefined },
  'an ordinary route, an application that never answers': {
    status: 503,
    path: '/me',
    identify: () => new Promise(() => undefined),
  },
  'a ticket, by GET': { status: 405, path: '/ticket' },
  'a ticket, a page of another origin': { status: 403, path: '/ticket', method: 'POST', headers: foreign },
  'a ticket, the rate of an address': { status: 429, path: '/ticket', method: 'POST', limiter: full },
}

for (const [name, refused] of Object.entries(REFUSED)) {
  for (const extending of [{ rolling: true }, { renew: true, maxAge: 600_000 }] as const) {
    const word = Object.keys(extending)[0] ?? ''
    for (const isLoggedOut of [true, false]) {
      test(`${name}: a session that is ${word} ${isLoggedOut ? 'and destroyed meanwhile stays so' : 'is not prolonged'}`, async t => {
        const { status, path = '/events', method = 'GET', headers = {}, limiter } = refused
        const hub = createHub()
        const sessions = new CountingStore()
        const pause = new Pause()
        let isAsking = false
        const login: Partial<SessionCookieOptions<Data>> = {
          timeout: 100,
          identify: data => (isAsking && refused.identify ? refused.identify(data) : identify(data)),
        }
        const options = {
          requireSecure: refused.requireSecure ?? false,
          ...(limiter && { limits: { rate: { address: limiter } } }),
        }
        const authenticate = sessionCookie({ identify, ...login })
        const guard = requireIdentity({ hub, authenticate, ...options })
        const tickets = urlTicket({ hub, audience: 'news', authenticate, ...options })
        const inner: Middleware = async (ctx, next) => {
          if (isAsking && ctx.path === path) await pause.wait()
          if (ctx.path === '/me') await guard(ctx, async () => void (ctx.body = 'me'))
          else if (ctx.path === '/ticket') await tickets.issue(ctx)
          else await next()
        }
        const site = await openSite(t, {
          hub,
          session: { store: watchSessions(sessions, hub), ...extending },
          login,
          inner,
          stream: { ...options, overload: 'reject' },
        })
        const ada = await site.loggedIn('ada')
        // So that `renew` finds the session in the second half of its life.
        for (const data of sessions.sessions.values()) data._expire = Date.now() + 200_000
        const { cookie } = ada
        isAsking = true
        if (refused.isDraining) void hub.drain({ within: 1 })
        const asking = fetch(`${site.url}${path}`, { method, headers: { cookie, accept: '*/*', ...headers } })
        await pause.reached
        if (isLoggedOut) await ada.visit('/logout')
        const before = structuredClone([...sessions.sessions])
        pause.end()
        const answer = await asking
        await answer.arrayBuffer()
        t.is(answer.status, status)
        t.deepEqual(answer.headers.getSetCookie(), [])
        t.deepEqual([...sessions.sessions], before)
        t.is(before.length, isLoggedOut ? 0 : 1)
        site.errors.length = 0
      })
    }
  }
}

test('a login that renews the session is not undone by a stream that was refused meanwhile', async t => {
  const hub = createHub()
  const sessions = new CountingStore()
  const pause = new Pause()
  const site = await openSite(t, {
    hub,
    session: { store: watchSessions(sessions, hub), rolling: true },
    login: {
      identify: async data => {
        if (identify(data) === undefined) await pause.wait()
        return identify(data)
      },
    },
    inner: async (ctx, next) => {
      if (ctx.path === '/cart') ctx.session.cart = 1
      await next()
    },
  })
  const ada = site.visitor()
  await ada.visit('/cart')
  const asking = ada.openStream()
  await pause.reached
  await ada.visit('/regenerate?user=ada')
  const renewed = structuredClone([...sessions.sessions])
  pause.end()
  t.is((await asking).status, 401)
  t.deepEqual([...sessions.sessions], renewed)
  t.is((await ada.openStream()).status, 200)
})
