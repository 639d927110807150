import jwt from 'jsonwebtoken'
import type { Clock } from '../../clock.ts'
import type { BearerErrors } from '../bearer-error.ts'
import { isRecord } from '../principal.ts'
import type { KeySource, TokenHeader } from '../keys/source.ts'
import type { TokenClaims } from './claims.ts'
import { misfit, type Algorithm, type ImportedKey } from '../keys/verification-key.ts'

/** The rules for an issuer's tokens. */
export interface IssuerRules {
  readonly keys: KeySource
  readonly algorithms: readonly Algorithm[]
  /** `undefined` accepts any; the same for `audience`. */
  readonly issuer: string | undefined
  readonly audience: readonly [string, ...string[]] | undefined
}

/** The rules for tokens, from checked options. Durations are milliseconds. */
export interface TokenRules {
  /** One issuer, or several by `iss`. */
  readonly issuers: IssuerRules | ReadonlyMap<string, IssuerRules>
  /** Lower-case, without `application/`. */
  readonly types: readonly string[]
  /** Whether a token without a `typ` is refused. */
  readonly isTypeRequired: boolean
  readonly clockTolerance: number
  readonly maxTtl: number
  readonly clock: Clock
}

// Three parts of base64url; `none` leaves the last one empty.
const COMPACT = /^([\w-]+)\.([\w-]+)\.[\w-]*$/

/** The longest `jti` that can be revoked, in characters. */
const MAX_TOKEN_ID = 256

// The application may put `kid` into a path or a query of the key server.
const KID = /^(?!.*\.\.)[\x21-\x7e]{1,256}$/

/**
 * Verifies a JWT and returns its claims.
 *
 * jsonwebtoken checks the signature, issuer, audience, `nbf` and the types of the time claims. This adds what it does
 * not check: `exp` missing, infinite or too far off, `iat` in the future, unknown `crit` or `typ`, a payload that is
 * not an object, `sub` that is not a string, a `jti` that cannot be revoked, and keys that do not fit the algorithm.
 *
 * @throws {AuthenticationError} `rejected`, or `unavailable` if the key could not be fetched. Never contains a part of
 *   the token.
 */
export async function verifyToken(token: string, rules: TokenRules, errors: BearerErrors): Promise<TokenClaims> {
  const issuer = issuerOf(token, rules)
  if (issuer === undefined) throw errors.invalid('the token is from another issuer')
  const header = readHeader(token, issuer, rules, errors)
  const key = await issuer.keys.find(header)
  if (key === undefined) throw errors.invalid('the token names no known key')
  if (misfit(key, header.alg) !== undefined) throw errors.invalid("the token's algorithm does not fit its key")
  const payload = verifySignature(token, key, header.alg, issuer, rules, errors)
  issuer.keys.confirm?.(header)
  return checkClaims(payload, rules, errors)
}

/** Selects the issuer by the unverified `iss`; only that issuer's keys can then verify the token. */
function issuerOf(token: string, { issuers }: TokenRules): IssuerRules | undefined {
  if ('algorithms' in issuers) return issuers
  const payload = parsePart(token, 2)
  return isRecord(payload) && typeof payload.iss === 'string' ? issuers.get(payload.iss) : undefined
}

function readHeader(token: string, { algorithms }: IssuerRules, rules: TokenRules, errors: BearerErrors): TokenHeader {
  const header = parsePart(token, 1)
  if (!isRecord(header)) throw errors.invalid('the token is not a JWT')
  const alg = algorithms.find(algorithm => algorithm === header.alg)
  if (alg === undefined) throw errors.invalid("the token's algorithm is not accepted")
  // RFC 7515, section 4.1.11: extensions that are not understood must be refused, and none is supported.
  if (Object.hasOwn(header, 'crit'))
    throw errors.invalid('the token requires extensions (`crit`), and none is supported')
  if (!isAcceptedType(header.typ, rules)) throw errors.invalid("the token's type is not accepted")
  const { kid } = header
  return typeof kid === 'string' && KID.test(kid) ? { alg, kid } : { alg }
}

function parsePart(token: string, part: 1 | 2): unknown {
  const encoded = COMPACT.exec(token)?.[part]
  if (encoded === undefined) return undefined
  try {
    return JSON.parse(Buffer.from(encoded, 'base64url').toString())
  } catch {
    return undefined
  }
}

// RFC 7515, section 4.1.9: media types are case-insensitive, and `application/` may be omitted.
function isAcceptedType(typ: unknown, { types, isTypeRequired }: TokenRules): boolean {
  if (typ === undefined) return !isTypeRequired
  return typeof typ === 'string' && types.includes(typ.toLowerCase().replace(/^application\//, ''))
}

function verifySignature(
  token: string,
  { key }: ImportedKey,
  alg: Algorithm,
  { issuer, audience }: IssuerRules,
  { clock, clockTolerance }: TokenRules,
  errors: BearerErrors,
): unknown {
  try {
    // Synchronous: a payload of `null` causes an uncaught exception in the asynchronous form.
    return jwt.verify(token, key, {
      algorithms: [alg],
      ...(issuer !== undefined && { issuer }),
      ...(audience && { audience: [...audience] }),
      clockTimestamp: clock.now() / 1000,
      clockTolerance: clockTolerance / 1000,
    })
  } catch (error) {
    // jsonwebtoken's messages quote the token, so they are not passed on.
    if (error instanceof jwt.TokenExpiredError) throw errors.expired()
    throw errors.invalid(reason(error))
  }
}

function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  if (error instanceof jwt.NotBeforeError) return 'the token is not valid yet'
  if (message.startsWith('jwt audience')) return 'the token is for another audience'
  if (message.startsWith('jwt issuer')) return 'the token is from another issuer'
  if (message === 'invalid signature') return "the token's signature is wrong"
  return 'the token could not be verified'
}

function checkClaims(payload: unknown, rules: TokenRules, errors: BearerErrors): TokenClaims {
  const now = rules.clock.now()
  if (!isRecord(payload)) throw errors.invalid("the token's payload is not an object")
  const { exp, iat, sub, jti } = payload
  if (typeof exp !== 'number') throw errors.invalid('the token has no `exp`')
  // No tolerance: a stream opened after `exp` would be closed at once.
  if (exp * 1000 <= now) throw errors.expired()
  // Also catches Infinity, which JSON can write as 1e400, and a time in milliseconds.
  if (exp * 1000 > now + rules.maxTtl) throw errors.invalid('the token expires too late')
  if (iat !== undefined && !isPast(iat, now + rules.clockTolerance))
    throw errors.invalid('the token was issued in the future')
  if (sub !== undefined && typeof sub !== 'string') throw errors.invalid("the token's subject is not a string")
  if (jti !== undefined && !isTokenId(jti))
    throw errors.invalid("the token's `jti` must be a string of 1 to 256 characters")
  return Object.freeze({ ...payload, exp })
}

// Other values cannot be revoked: `hub.revoke()` would have no effect.
function isTokenId(jti: unknown): boolean {
  return typeof jti === 'string' && jti !== '' && jti.length <= MAX_TOKEN_ID
}

function isPast(time: unknown, now: number): boolean {
  return typeof time === 'number' && time * 1000 <= now
}
