import { createPublicKey, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'

/** How long an access token lasts: 15 minutes, in milliseconds. Short, so that losing one costs little. */
export const ACCESS_LIFETIME = 15 * 60 * 1_000

/** What is remembered of an access token, to revoke it by. */
export interface AccessToken {
  /** The token's `jti`. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface TokenIssuer {
  /** What it takes to verify a token: also the options of `bearerToken()`. */
  readonly verification: {
    readonly key: KeyObject
    readonly algorithms: ['ES256']
    readonly issuer: string
    readonly audience: string
  }
  /** Signs a token that was issued `ACCESS_LIFETIME` before it expires. `login` names what it came from, as its `sid`. */
  sign(token: AccessToken, userId: string, login: string): string
}

/** @param tokenKey an EC private key on P-256 */
export function createTokenIssuer(tokenKey: KeyObject): TokenIssuer {
  const issuer = 'quayside'
  const audience = 'quayside-api'

  return {
    verification: { key: createPublicKey(tokenKey), algorithms: ['ES256'], issuer, audience },
    sign: ({ id, expiresAt }, userId, login) =>
      jwt.sign({ sid: login, iat: seconds(expiresAt - ACCESS_LIFETIME), exp: seconds(expiresAt) }, tokenKey, {
        algorithm: 'ES256',
        issuer,
        audience,
        subject: userId,
        jwtid: id,
      }),
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000)
}
