import type { Context } from 'koa'
import { callInTime } from '../../application.ts'
import { AuthenticationError } from '../authentication-error.ts'
import type { Authenticator } from '../authenticator.ts'
import { bearerCredentials } from './credentials.ts'
import { bearerErrors, type BearerErrors } from '../bearer-error.ts'
import { checkBearerOptions, type BearerTokenOptions, type CheckedBearerOptions } from './options.ts'
import { challenge } from '../challenge.ts'
import { checkPrincipal, type CheckedPrincipal } from '../principal.ts'
import { createIdentity, hasEnded, type Identity } from '../identity.ts'
import { hasScopes, type TokenClaims } from './claims.ts'
import { verifyToken } from './verifier.ts'

/** The longest `jti` that is kept, in characters. */
const MAX_TOKEN_ID = 256

/**
 * Authenticates by a JWT in `Authorization: Bearer` (RFC 6750, section 2.1), verified with jsonwebtoken.
 *
 * - A token must have an `exp` within `maxLifetime`; the stream is closed at that very time (`identity.expiresAt`).
 * - Two `Authorization` headers, or what is no token: 400. A bad token: 401. A missing scope: 403. No way to get the
 *   key just now: 503. Another scheme than Bearer is left to the next authenticator.
 * - `identity.token` is the token's `jti`, if that is a string of 1 to 256 characters: it can be revoked then.
 * - Neither the token nor a claim shows in an error.
 *
 * A set of keys from a JWKS is best given as `keys`, a function that fetches all of them.
 *
 * @throws {TypeError} for a wrong option: missing `issuer` or `audience`, a weak key, a key of another kind than
 *   `algorithms` need.
 */
export function bearerToken<Claims extends object = TokenClaims>(options: BearerTokenOptions<Claims>): Authenticator {
  return tokenAuthenticator('bearer', checkBearerOptions(options), bearerCredentials)
}

/** Finds a token in a request, or `undefined` where there is none. */
export type FindToken = (ctx: Context, maxBytes: number, errors: BearerErrors) => string | undefined

/** Makes an authenticator by tokens, wherever in a request they are. */
export function tokenAuthenticator(scheme: string, rules: CheckedBearerOptions, find: FindToken): Authenticator {
  const { realm, scopes, maxBytes, clock, timeout, identify } = rules
  const errors = bearerErrors(realm, scopes.join(' '))

  async function principalOf(claims: TokenClaims): Promise<CheckedPrincipal | undefined> {
    const late = (message: string) => new AuthenticationError('unavailable', message)
    return checkPrincipal(await callInTime({ clock, ms: timeout, what: '`identify`', late }, () => identify(claims)))
  }

  async function authenticate(ctx: Context): Promise<Identity | undefined> {
    const token = find(ctx, maxBytes, errors)
    if (token === undefined) return undefined
    const claims = await verifyToken(token, rules, errors)
    if (!hasScopes(claims, scopes)) throw errors.insufficientScope()
    const principal = await principalOf(claims)
    if (principal === undefined) throw errors.invalid('the token belongs to nobody')
    const identity = tokenIdentity(scheme, principal, claims)
    if (hasEnded(identity, clock.now())) throw errors.expired()
    return identity
  }

  return Object.freeze({
    scheme,
    challenge: challenge('Bearer', { realm }),
    rejection: errors.rejection,
    ambient: false,
    authenticate,
  })
}

function tokenIdentity(scheme: string, principal: CheckedPrincipal, claims: TokenClaims): Identity {
  const { jti } = claims
  const isTokenId = typeof jti === 'string' && jti !== '' && jti.length <= MAX_TOKEN_ID
  return createIdentity({
    id: principal.id,
    scheme,
    expiresAt: Math.min(claims.exp * 1000, principal.expiresAt ?? Infinity),
    ...(isTokenId && { token: jti }),
    claims: principal.claims ?? claims,
  })
}
