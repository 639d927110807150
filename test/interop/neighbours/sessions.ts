import { Redis } from 'ioredis'
import type { Context } from 'koa'
import redisStore from 'koa-redis'
import session, { type CreateSessionOptions } from 'koa-session'
import { sessionCookie, watchSessions } from 'koa-event-stream'
import { CountingStore } from '../../auth/session/site.ts'
import { identify, type Data } from '../../session/site.ts'
import { PATIENCE, PATIENT } from '../../support/progress.ts'
import { startRedis } from '../../support/redis-server.ts'
import type { Arrangement, Neighbour, Place } from '../neighbour.ts'

const HOUR = 3_600_000

interface Kind {
  readonly options: CreateSessionOptions
  /** The cookie's. */
  readonly name?: string
  /** Says how many sessions there are, where anybody but the cookie knows. */
  readonly count?: () => number | Promise<number>
}

/** A site with a cookie login whose cookie is prolonged by each visit: the stream's headers must bring it too. */
function withSession({ Koa, hub }: Place, { options, name = 'koa.sess', count }: Kind): Arrangement {
  const app = new Koa()
  app.keys = ['a key to sign cookies with']
  return {
    app,
    before: [
      session({ rolling: true, ...options }, app),
      async (ctx: Context, next) => {
        if (ctx.path === '/login') ctx.session.userId = 'ann'
        if (ctx.path === '/logout') ctx.session = null
        await next()
      },
    ],
    // No look into the store while this goes on: what ends a stream is the log-out.
    authenticate: sessionCookie<Data>({ identify, revalidate: HOUR, ...PATIENT }),
    headers: {},
    login: '/login',
    proves: async ({ t, first, get, open, isEmpty }) => {
      t.true(first.headers['set-cookie']?.some(cookie => cookie.startsWith(`${name}=`)))
      t.is((await open({ cookie: '' })).status, 401)
      if (count === undefined) return
      t.is(await count(), 1)
      const stream = await open()
      await get('/logout')
      await isEmpty()
      t.is(await stream.closed, 'end')
      t.is(hub.stats().closed.logout, 1)
      t.is(await count(), 0)
      t.is((await open()).status, 401)
    },
  }
}

/** koa-session with each kind of store. */
export const sessions: readonly Neighbour[] = [
  {
    packages: ['koa-session'],
    how: 'the cookie is the session',
    note: 'Nothing can end such a session early: the stream ends with the cookie',
    arrange: place => withSession(place, { options: {} }),
  },
  {
    packages: ['koa-session'],
    how: 'a store in memory',
    note: '`watchSessions()` closes streams at log-out, whatever the store',
    arrange: place => {
      const store = new CountingStore()
      const options = { store: watchSessions(store, place.hub) }
      return withSession(place, { options, count: () => store.sessions.size })
    },
  },
  {
    packages: ['koa-session', 'koa-redis'],
    note: 'Give it a client of ioredis 5 or 6 with the [time limits here](cookie-site.md)',
    arrange: async place => {
      const { url } = await startRedis(place.t)
      const client = new Redis(url, { maxRetriesPerRequest: 1, commandTimeout: PATIENCE })
      place.t.teardown(() => client.disconnect())
      const options = { store: watchSessions(redisStore<Data>({ client }), place.hub, PATIENT) }
      return withSession(place, { options, count: () => client.dbsize() })
    },
  },
  {
    packages: ['koa-session'],
    how: 'a `ContextStore`',
    note: 'Made anew for each look into the store; what it writes to goes through `watchSessions()`',
    arrange: place => {
      const store = new CountingStore()
      const watched = watchSessions(store, place.hub)
      class ContextStore {
        get(key: string) {
          return watched.get(key)
        }
        set(key: string, data: Record<string, unknown>) {
          return watched.set(key, data)
        }
        destroy(key: string) {
          return watched.destroy(key)
        }
      }
      return withSession(place, { options: { ContextStore }, count: () => store.sessions.size })
    },
  },
  {
    packages: ['koa-session'],
    how: 'an `externalKey`',
    note: 'The key may be in a cookie of its own',
    arrange: place => {
      const store = new CountingStore()
      const externalKey = {
        get: (ctx: Context) => ctx.cookies.get('own') ?? '',
        set: (ctx: Context, key: string) => {
          ctx.cookies.set('own', key)
        },
      }
      const options = { store: watchSessions(store, place.hub), externalKey }
      return withSession(place, { options, name: 'own', count: () => store.sessions.size })
    },
  },
]
