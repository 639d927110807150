import { createPublicKey, randomUUID, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'

/** How long a token lasts, in seconds. Short, so that losing one costs little: clients ask for another. */
const LIFETIME = 300

export interface TokenIssuer {
  /** Seconds. */
  readonly lifetime: number
  /** What it takes to verify a token: also the options of `bearerToken()`. */
  readonly verification: {
    readonly key: KeyObject
    readonly algorithms: ['ES256']
    readonly issuer: string
    readonly audience: string
  }
  issue(userId: string): string
}

/** @param tokenKey an EC private key on P-256 */
export function createTokenIssuer(tokenKey: KeyObject): TokenIssuer {
  const issuer = 'quayside'
  const audience = 'quayside-api'

  return {
    lifetime: LIFETIME,
    verification: { key: createPublicKey(tokenKey), algorithms: ['ES256'], issuer, audience },
    issue: userId =>
      jwt.sign({}, tokenKey, {
        algorithm: 'ES256',
        issuer,
        audience,
        subject: userId,
        expiresIn: LIFETIME,
        jwtid: randomUUID(),
      }),
  }
}
