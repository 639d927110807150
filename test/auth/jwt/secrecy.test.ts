import { inspect } from 'node:util'
import test from 'ava'
import type { Context } from 'koa'
import { AuthenticationError } from '../../../lib/auth/authentication-error.ts'
import { bearerToken } from '../../../lib/auth/jwt/bearer-token.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { AUDIENCE, claims, forge, ISSUER, lastingClaims, SECRET, seconds } from './keys.ts'

/** As much of a context as a bearer token needs. */
function contextWith(authorization: string): Context {
  const req = { rawHeaders: ['Authorization', authorization] }
  return { req, get: () => authorization } as unknown as Context
}

test('nothing of a refused token shows in the error', async t => {
  const clock = new ManualClock()
  const now = clock.now()
  const authenticator = bearerToken({
    key: SECRET,
    algorithms: ['HS256'],
    issuer: ISSUER,
    audience: AUDIENCE,
    scope: 'x',
    clock,
  })
  const marked = { sub: 'MARK-sub', jti: 'MARK-jti', email: 'MARK@example.org' }
  const refused = [
    {},
    { exp: seconds(now) - 60 },
    { exp: 'MARK-exp' },
    { iss: 'MARK-iss' },
    { aud: 'MARK-aud' },
    { nbf: seconds(now) + 600 },
    { nbf: 'MARK-nbf' },
    { iat: 'MARK-iat' },
  ]
  const tokens = refused.map(changes =>
    forge({ alg: 'HS256', kid: 'MARK-kid' }, claims(now, { ...marked, ...changes }), SECRET),
  )
  const [first = ''] = tokens
  tokens.push(`${first}x`, `${first} x`, `${first}.MARK`, forge({ alg: 'MARK-alg' }, claims(now, marked), SECRET))
  tokens.push(
    forge('{"MARK', claims(now, marked), SECRET),
    forge({ alg: 'HS256', typ: 'MARK' }, claims(now, marked), SECRET),
  )
  for (const token of tokens) {
    const error = await t.throwsAsync(async () => authenticator.authenticate(contextWith(`Bearer ${token}`)), {
      instanceOf: AuthenticationError,
    })
    const shown = inspect(error, { depth: null, showHidden: true }) + JSON.stringify(error) + (error.challenge ?? '')
    t.notRegex(shown, /MARK/)
    for (const part of token.split('.').filter(({ length }) => length > 8)) t.false(shown.includes(part))
  }
})

test('a failing key source shows its cause to the operator, without the token', async t => {
  const authenticator = bearerToken({
    getKey: () => {
      throw new Error('connect ECONNREFUSED')
    },
    algorithms: ['HS256'],
    issuer: false,
    audience: false,
  })
  const token = forge({ alg: 'HS256', kid: 'a' }, lastingClaims({ email: 'MARK' }), SECRET)
  const error = await t.throwsAsync(async () => authenticator.authenticate(contextWith(`Bearer ${token}`)))
  t.like(error, { code: 'ERR_AUTH_UNAVAILABLE', cause: { message: 'connect ECONNREFUSED' } })
  t.false(inspect(error).includes(token.split('.')[1] ?? 'x'))
})
