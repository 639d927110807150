import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import {
  bearerToken,
  createHub,
  createIdentity,
  eventStream,
  queryToken,
  sessionCookie,
  stateUser,
} from 'koa-event-stream'
import { openStream, serve } from '../support/http.ts'
import { AUDIENCE, forge, ISSUER, lastingClaims, SECRET } from './jwt/keys.ts'

// Whoever has an interface for what a token says reads it from the identity, without a cast: the compiler is the test.

interface Token {
  sub: string
  role: 'admin' | 'user'
}

interface Member {
  team: string
}

const jwt = { key: SECRET, algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE } as const

const bearer = bearerToken({ ...jwt, identify: (token: Token) => ({ id: token.sub }) })

async function openTopics(t: ExecutionContext, mount: Koa.Middleware, changes = {}) {
  const { url } = await serve(new Koa().use(mount), t)
  const token = forge({ alg: 'HS256' }, lastingClaims(changes), SECRET)
  return openStream(url, { headers: { authorization: `Bearer ${token}` } })
}

test('the claims of a token go into the identity in their type', async t => {
  const hub = createHub()
  const roles: Token['role'][] = []
  const mount = eventStream({
    hub,
    authenticate: bearer,
    subscribe: ({ identity }) => {
      if (identity.claims !== undefined) roles.push(identity.claims.role)
      // @ts-expect-error -- no such claim
      return [`role:${String(identity.claims?.rule)}`]
    },
  })
  await openTopics(t, mount, { role: 'admin' })
  t.deepEqual(roles, ['admin'])
})

test('what `identify` answers as claims goes into the identity in its type', async t => {
  const member = (team: string): Member => ({ team })
  const teams: string[] = []
  const authenticators = {
    bearer: bearerToken({ ...jwt, identify: async (token: Token) => ({ id: token.sub, claims: member('a') }) }),
    query: queryToken({
      ...jwt,
      identify: (token: Token) => token.role === 'user' && { id: 'b', claims: member('b') },
    }),
    session: sessionCookie({ identify: (session: { id: string }) => ({ id: session.id, claims: member('c') }) }),
    user: stateUser({ identify: (user: Token) => ({ id: user.sub, token: 'x', claims: member('d') }) }),
  }
  for (const authenticate of Object.values(authenticators)) {
    const mount = eventStream({
      hub: createHub(),
      authenticate,
      subscribe: ({ identity }) => {
        const team: string | undefined = identity.claims?.team
        if (team !== undefined) teams.push(team)
        return 'news'
      },
    })
    if (authenticate === authenticators.bearer) await openTopics(t, mount)
  }
  t.deepEqual(teams, ['a'])
})

test('of several authenticators an identity has the claims of one of them', t => {
  t.notThrows(() =>
    eventStream({
      hub: createHub(),
      authenticate: [bearer, sessionCookie({ identify: (session: { id: string }) => session })],
      subscribe: ({ identity }) => {
        const role: unknown = identity.claims !== undefined && 'role' in identity.claims && identity.claims.role
        return `role:${String(role)}`
      },
    }),
  )
})

test('an identity may be made of an interface', t => {
  const claims: Member = { team: 'a' }
  const { claims: kept } = createIdentity({ id: 'ada', scheme: 'x', claims })
  const team: string | undefined = kept?.team
  t.is(team, 'a')
})
