import test from 'ava'
import jwt from 'jsonwebtoken'
import Koa from 'koa'
import session from 'koa-session'
import { bearerToken, queryToken, sessionCookie, stateUser, urlTicket, type Authenticator } from 'koa-event-stream'
import { authenticatorContract, type ContractAuthenticatorOptions } from 'koa-event-stream/testing'
import { named } from './named.ts'

const KEY = 'a key of more than thirty-two bytes'
const TOKENS = { key: KEY, algorithms: ['HS256'], issuer: 'https://login.example.com', audience: 'events' } as const

const sign = (options: jwt.SignOptions = {}, key = KEY) =>
  jwt.sign({}, key, {
    subject: 'ada',
    jwtid: 't-1',
    issuer: TOKENS.issuer,
    audience: TOKENS.audience,
    expiresIn: '1h',
    ...options,
  })

const badTokens = () => [
  sign({ audience: 'others' }),
  sign({ issuer: 'https://evil.example' }),
  sign({ expiresIn: '-1h' }),
  sign({}, 'another key of more than thirty-two bytes'),
  jwt.sign({ sub: 'ada' }, null, { algorithm: 'none' }),
  'no-token',
]

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
const inQuery = (token: string) => ({ query: `access_token=${token}` })

for (const [name, make, carry] of [
  ['bearerToken', bearerToken, bearer],
  ['queryToken', queryToken, inQuery],
] as const) {
  authenticatorContract(named(test, name), ({ hub, clock }) => ({
    authenticate: make({ ...TOKENS, clock }),
    app: silent(new Koa()),
    login: () => {
      const token = sign()
      return { ...carry(token), secrets: [token], end: () => hub.revoke('t-1', clock.now() + 3_600_000) }
    },
    bad: () => badTokens().map(token => carry(token)),
  }))
}

authenticatorContract(named(test, 'stateUser'), ({ hub, clock }) => {
  const app = silent(new Koa())
  // As koa-jwt does with `passthrough`.
  app.use(async (ctx, next) => {
    try {
      ctx.state.user = jwt.verify(ctx.get('authorization').replace('Bearer ', ''), KEY, {
        issuer: TOKENS.issuer,
        audience: TOKENS.audience,
      })
    } catch {
      // Nobody, then.
    }
    await next()
  })
  return {
    authenticate: stateUser({
      ambient: false,
      clock,
      identify: ({ sub, exp, jti }: { sub: string; exp: number; jti: string }) => ({
        id: sub,
        expiresAt: exp * 1_000,
        token: jti,
      }),
    }),
    app,
    login: () => {
      const token = sign()
      return { ...bearer(token), secrets: [token], end: () => hub.revoke('t-1', clock.now() + 3_600_000) }
    },
    bad: () => badTokens().map(token => bearer(token)),
  }
})

authenticatorContract(named(test, 'sessionCookie'), ({ clock }) => {
  const { app, sessions, login } = withSessions()
  return {
    authenticate: byCookie(clock),
    app,
    login: async site => {
      const { cookie, key } = await login(site)
      return { headers: { cookie }, secrets: [cookie, key], end: () => sessions.clear() }
    },
    bad: async site => {
      const { cookie } = await login(site)
      return [cookie.replace(/.$/, '~'), cookie.replace(/;.*/, ''), 'koa.sess=nobody'].map(value => ({
        headers: { cookie: value },
      }))
    },
  }
})

authenticatorContract(named(test, 'urlTicket'), ({ hub, clock }: ContractAuthenticatorOptions) => {
  const { app, login } = withSessions()
  const tickets = urlTicket({ hub, audience: 'events', authenticate: byCookie(clock) })
  app.use((ctx, next) => (ctx.path === '/ticket' ? tickets.issue(ctx) : next()))
  return {
    authenticate: tickets,
    app,
    login: async site => {
      const { cookie, key } = await login(site)
      const answer = await site.fetch('/ticket', { method: 'POST', headers: { cookie } })
      const { ticket } = (await answer.json()) as { ticket: string }
      return {
        query: `ticket=${ticket}`,
        secrets: [ticket, key],
        end: () => hub.disconnect({ identity: 'ada' }, 'logout'),
      }
    },
    bad: () => ['ticket=', 'ticket=nothing', `ticket=${'x'.repeat(43)}`, 'ticket=a&ticket=b'].map(query => ({ query })),
  }
})

function byCookie(clock: ContractAuthenticatorOptions['clock']): Authenticator {
  return sessionCookie({ clock, identify: ({ userId }: { userId?: string }) => userId && { id: userId } })
}

/** An application with sessions, and a way to log in. */
function withSessions() {
  const app = silent(new Koa())
  const sessions = new Map<string, object>()
  app.keys = ['a key to sign cookies with']
  const store = {
    get: async (key: string) => sessions.get(key),
    set: async (key: string, data: object) => void sessions.set(key, data),
    destroy: async (key: string) => void sessions.delete(key),
  }
  app.use(session({ store }, app))
  app.use(async (ctx, next) => {
    if (ctx.path !== '/login') return next()
    ctx.session.userId = 'ada'
    ctx.body = 'done'
  })
  const login = async (site: { fetch(path: string): Promise<Response> }) => {
    const answer = await site.fetch('/login')
    const cookie = answer.headers
      .getSetCookie()
      .map(line => line.replace(/;.*/, ''))
      .join('; ')
    return { cookie, key: [...sessions.keys()].at(-1) ?? '' }
  }
  return { app, sessions, login }
}

function silent(app: Koa): Koa {
  app.silent = true
  return app
}

test('an authenticator that breaks the contract is found out', async t => {
  const failing = async (broken: Partial<Authenticator>) => {
    const titles: string[] = []
    const running: Promise<void>[] = []
    const run = (title: string, body: () => Promise<void>) => {
      running.push(body().catch(() => void titles.push(title.replace(/[ ,:].*/, ''))))
    }
    authenticatorContract(run, () => ({
      app: silent(new Koa()),
      authenticate: {
        scheme: 'key',
        challenge: 'Key',
        ambient: false,
        authenticate: ctx => (ctx.get('x-api-key') === 'a secret key' ? { id: 'ada', scheme: 'key' } : undefined),
        ...broken,
      },
      login: () => ({ headers: { 'x-api-key': 'a secret key' }, secrets: ['a secret key'] }),
      bad: () => [{ headers: { 'x-api-key': 'another' } }],
    }))
    await Promise.all(running)
    return titles
  }
  t.deepEqual(await failing({}), [])
  t.deepEqual(await failing({ challenge: '' }), ['it', 'bad'])
  const everybody = { authenticate: () => ({ id: 'ada', scheme: 'key' }) }
  t.deepEqual((await failing(everybody)).toSorted(), ['a', 'bad', 'what', 'what'])
  const shows = (ctx: { get(name: string): string }) =>
    ctx.get('x-api-key') === 'a secret key'
      ? { id: 'ada', scheme: 'key', claims: { key: ctx.get('x-api-key') } }
      : undefined
  t.deepEqual(await failing({ authenticate: shows }), ['what'])
  t.deepEqual(await failing({ scheme: 'another' }), ['a'])
})
