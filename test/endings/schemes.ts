import type { Context } from 'koa'
import {
  bearerToken,
  createIdentity,
  queryToken,
  sessionCookie,
  stateUser,
  urlTicket,
  type Authenticator,
  type Hub,
} from 'koa-event-stream'
import { AUDIENCE, forge, ISSUER, lastingClaims, SECRET } from '../auth/jwt/keys.ts'
import type { ManualClock } from '../support/manual-clock.ts'
import { Visitor } from '../support/visitor.ts'
import { WAYS, type Way } from './ways.ts'
import type { Moments } from './moments.ts'

/** Somebody who is logged in, and the request by which they open a stream. */
export interface Login {
  readonly id: string
  readonly token?: string
  /** Who has a session. */
  readonly visitor?: Visitor
  readonly path: string
  readonly headers: Record<string, string>
}

export interface Parts {
  readonly hub: Hub
  readonly clock: ManualClock
  readonly moments: Moments
}

/** A way to prove who one is, and all the ways in which such a login ends. */
export interface Scheme {
  readonly name: string
  readonly ways: readonly Way[]
  logins(parts: Parts): { authenticate: Authenticator; issue?: (ctx: Context) => Promise<void> }
  /** Middleware in front of the stream that finds the user. */
  deserialize?(ctx: Context, moments: Moments): Promise<void>
  logIn(url: string, id: string): Promise<Login>
}

const SESSION_WAYS = [WAYS.logOut, WAYS.regenerate, WAYS.disconnectIdentity, WAYS.disconnectSession]
const TOKEN_WAYS = [WAYS.revoke, WAYS.disconnectIdentity, WAYS.disconnectToken]

const TOKENS = { algorithms: ['HS256' as const], issuer: ISSUER, audience: AUDIENCE, key: SECRET }

const cookies = ({ clock, moments }: Parts): Authenticator =>
  sessionCookie<{ userId?: string }>({
    identify: moments.around('`identify`', async ({ userId }: { userId?: string }) => userId && { id: userId }),
    clock,
  })

const bearers = ({ clock, moments }: Parts): Authenticator =>
  bearerToken({
    ...TOKENS,
    clock,
    identify: moments.around('`identify`', async ({ sub }: { sub?: string }) => ({ id: String(sub) })),
  })

const withCookie = async (url: string, id: string): Promise<Login & { visitor: Visitor }> => {
  const visitor = new Visitor(url)
  await visitor.visit(`/login?user=${id}`)
  return { id, visitor, path: '/events', headers: { cookie: visitor.cookie } }
}

const tokenOf = (id: string): string => forge({ alg: 'HS256' }, lastingClaims({ sub: id, jti: `jti-${id}` }), SECRET)

const withToken = async (_url: string, id: string): Promise<Login & { token: string }> => ({
  id,
  token: `jti-${id}`,
  path: '/events',
  headers: { authorization: `Bearer ${tokenOf(id)}` },
})

const ticketOf = async (url: string, login: Login): Promise<Login> => {
  const answer = await fetch(`${url}/ticket`, { method: 'POST', headers: login.headers })
  const { ticket } = (await answer.json()) as { ticket: string }
  return { ...login, path: `/events?ticket=${ticket}`, headers: {} }
}

const ticketsFrom =
  (issuer: (parts: Parts) => Authenticator) =>
  (parts: Parts): ReturnType<Scheme['logins']> => {
    const tickets = urlTicket({ hub: parts.hub, authenticate: issuer(parts), audience: 'events' })
    return { authenticate: tickets, issue: tickets.issue }
  }

export const SCHEMES: readonly Scheme[] = [
  {
    name: 'sessionCookie',
    ways: [...SESSION_WAYS, WAYS.changeUser],
    logins: parts => ({ authenticate: cookies(parts) }),
    logIn: withCookie,
  },
  {
    name: 'bearerToken',
    ways: TOKEN_WAYS,
    logins: parts => ({ authenticate: bearers(parts) }),
    logIn: withToken,
  },
  {
    name: 'queryToken',
    ways: TOKEN_WAYS,
    logins: ({ clock }) => ({ authenticate: queryToken({ ...TOKENS, clock }) }),
    logIn: async (url, id) => ({
      ...(await withToken(url, id)),
      path: `/events?access_token=${tokenOf(id)}`,
      headers: {},
    }),
  },
  {
    name: 'stateUser with a session',
    ways: SESSION_WAYS,
    logins: () => ({
      authenticate: stateUser({
        identify: (user: { id: string }, ctx) => ({ id: user.id, session: String(ctx.session.externalKey) }),
      }),
    }),
    deserialize: async (ctx, moments) => {
      const { userId } = ctx.session
      await moments.pass('the user')
      if (userId !== undefined) ctx.state.user = { id: userId }
    },
    logIn: withCookie,
  },
  {
    name: 'stateUser with a token',
    ways: TOKEN_WAYS,
    logins: ({ clock }) => ({
      authenticate: stateUser({
        identify: (user: { id: string }) => ({ id: user.id, token: `jti-${user.id}` }),
        clock,
      }),
    }),
    deserialize: async (ctx, moments) => {
      const id = ctx.get('x-user')
      await moments.pass('the user')
      ctx.state.user = { id }
    },
    logIn: async (_url, id) => ({ id, token: `jti-${id}`, path: '/events', headers: { 'x-user': id } }),
  },
  {
    name: 'urlTicket of a session',
    ways: SESSION_WAYS,
    logins: ticketsFrom(cookies),
    logIn: async (url, id) => ticketOf(url, await withCookie(url, id)),
  },
  {
    name: 'urlTicket of a token',
    ways: TOKEN_WAYS,
    logins: ticketsFrom(bearers),
    logIn: async (url, id) => ticketOf(url, await withToken(url, id)),
  },
  {
    name: 'an authenticator of the application',
    ways: [...TOKEN_WAYS, WAYS.disconnectAll],
    logins: ({ moments }) => ({
      authenticate: {
        scheme: 'own',
        challenge: 'Own',
        ambient: false,
        authenticate: moments.around('`authenticate`', async (ctx: Context) => {
          const id = ctx.get('x-user')
          return createIdentity({ id, scheme: 'own', token: `jti-${id}` })
        }),
      },
    }),
    logIn: async (_url, id) => ({ id, token: `jti-${id}`, path: '/events', headers: { 'x-user': id } }),
  },
]
