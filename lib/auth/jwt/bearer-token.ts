import type { Context } from 'koa'
import { callInTime, callNow } from '../../application.ts'
import { fn } from '../../options.ts'
import { AuthenticationError } from '../authentication-error.ts'
import type { Authenticator } from '../authenticator.ts'
import { bearerCredentials, elsewhereCredentials } from './credentials.ts'
import { bearerErrors, type BearerErrors } from '../bearer-error.ts'
import { checkTokenOptions, type BearerTokenOptions, type CheckedTokenOptions, type ClaimsOf } from './options.ts'
import { challenge } from '../challenge.ts'
import { checkPrincipal, type CheckedPrincipal } from '../principal.ts'
import { createIdentity, hasEnded, type Identity } from '../identity.ts'
import { hasScopes, type TokenClaims } from './claims.ts'
import { verifyToken } from './verifier.ts'

/**
 * Authenticates by a JWT in `Authorization: Bearer` (RFC 6750, section 2.1), or wherever `tokenFrom` finds it, verified
 * with jsonwebtoken.
 *
 * - A token must have an `exp` within `maxTtl`; the stream is closed at that time (`identity.expiresAt`).
 * - Two `Authorization` headers, or a malformed token: 400. A bad token: 401. A missing scope: 403. Key unavailable:
 *   503. Schemes other than Bearer are left to the next authenticator.
 * - `identity.token` is the token's `jti`, if it has one; it can then be revoked. A `jti` that is not a string of 1 to
 *   256 characters: 401.
 * - For several issuers use `issuers`: a second `bearerToken()` in the list would never be called.
 * - Errors never contain the token or a claim.
 *
 * To use a JWK Set, set `keys` to a function that fetches it.
 *
 * @throws {TypeError} for a wrong option: missing `issuer` or `audience`, a weak key, a key that does not fit
 *   `algorithms`.
 */
export function bearerToken<Claims extends object = TokenClaims, Own extends object = ClaimsOf<Claims>>(
  options: BearerTokenOptions<Claims, Own>,
): Authenticator<Own> {
  const rules = checkTokenOptions('bearerToken', options, ['tokenFrom'])
  if (options.tokenFrom === undefined) {
    const authenticator = tokenAuthenticator<Own>('bearer', rules, bearerCredentials)
    ofHeader.add(authenticator)
    return authenticator
  }
  const tokenFrom = fn('tokenFrom', options.tokenFrom)
  const find: FindToken = (ctx, maxBytes, errors) =>
    elsewhereCredentials(
      callNow('`tokenFrom`', () => tokenFrom(ctx)),
      maxBytes,
      errors,
    )
  return Object.freeze({ ...tokenAuthenticator<Own>('bearer', rules, find), ambient: true })
}

const ofHeader = new WeakSet<object>()

/** Whether an authenticator is a `bearerToken()` that handles every token in the header. */
export function isOfHeader(authenticator: Authenticator): boolean {
  return ofHeader.has(authenticator)
}

/** Finds a token in a request; `undefined` if there is none. */
export type FindToken = (ctx: Context, maxBytes: number, errors: BearerErrors) => string | undefined

/**
 * Creates an authenticator for tokens from any part of the request. Only the application knows the shape of the claims.
 */
export function tokenAuthenticator<Claims extends object>(
  scheme: string,
  rules: CheckedTokenOptions,
  find: FindToken,
): Authenticator<Claims> {
  const { realm, scopes, maxBytes, clock, timeout, identify } = rules
  const errors = bearerErrors(realm, scopes.join(' '))

  async function principalOf(claims: TokenClaims, ctx: Context): Promise<CheckedPrincipal | undefined> {
    const late = (message: string) => new AuthenticationError('unavailable', message)
    return checkPrincipal(
      await callInTime({ clock, ms: timeout, what: '`identify`', late }, () => identify(claims, ctx)),
    )
  }

  async function authenticate(ctx: Context): Promise<Identity<Claims> | undefined> {
    const token = find(ctx, maxBytes, errors)
    if (token === undefined) return undefined
    const claims = await verifyToken(token, rules, errors)
    if (!hasScopes(claims, scopes)) throw errors.insufficientScope()
    const principal = await principalOf(claims, ctx)
    if (principal === undefined) throw errors.invalid('`identify` refused the token')
    const identity = tokenIdentity<Claims>(scheme, principal, claims)
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

function tokenIdentity<Claims extends object>(
  scheme: string,
  principal: CheckedPrincipal,
  claims: TokenClaims,
): Identity<Claims> {
  return createIdentity<Claims>({
    id: principal.id,
    scheme,
    expiresAt: Math.min(claims.exp * 1000, principal.expiresAt ?? Infinity),
    ...(claims.jti !== undefined && { token: claims.jti }),
    claims: (principal.claims ?? claims) as Claims,
  })
}
