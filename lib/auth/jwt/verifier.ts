import jwt from 'jsonwebtoken'
import type { Clock } from '../../clock.ts'
import type { BearerErrors } from '../bearer-error.ts'
import { isRecord } from '../principal.ts'
import type { KeySource, TokenHeader } from '../keys/source.ts'
import type { TokenClaims } from './claims.ts'
import { misfit, type Algorithm, type ImportedKey } from '../keys/verification-key.ts'

/** What the tokens of an issuer must be. */
export interface IssuerRules {
  readonly keys: KeySource
  readonly algorithms: readonly Algorithm[]
  /** `undefined` where anyone's tokens are taken, as for `audience`. */
  readonly issuer: string | undefined
  readonly audience: readonly [string, ...string[]] | undefined
}

/** What a token must be, from options that have been checked. Durations are milliseconds. */
export interface TokenRules {
  /** Of the only issuer, or by `iss`. */
  readonly issuers: IssuerRules | ReadonlyMap<string, IssuerRules>
  /** Lower-case, without `application/`. */
  readonly types: readonly string[]
  /** Whether a token without a `typ` is refused. */
  readonly isTypeRequired: boolean
  readonly clockTolerance: number
  readonly maxTtl: number
  readonly clock: Clock
}

// base64url in three parts, the last of which `none` leaves empty.
const COMPACT = /^([\w-]+)\.([\w-]+)\.[\w-]*$/

/** The longest `jti` that can be revoked, in characters. */
const MAX_TOKEN_ID = 256

// A `kid` may end up in a path or a query of the key server.
const KID = /^(?!.*\.\.)[\x21-\x7e]{1,256}$/

/**
 * Verifies a JWT and answers its claims.
 *
 * jsonwebtoken checks signature, issuer, audience, `nbf` and the types of the time claims. What it would let pass is
 * refused here: an `exp` that is missing, infinite or too far off, an `iat` to come, an unknown `crit` or `typ`, a
 * payload that is no object, a `sub` that is no string, a `jti` by which nobody could revoke the token, and keys that do
 * not fit the algorithm.
 *
 * @throws {AuthenticationError} `rejected`, or `unavailable` where the key could not be had. Never with a part of the token.
 */
export async function verifyToken(token: string, rules: TokenRules, errors: BearerErrors): Promise<TokenClaims> {
  const issuer = issuerOf(token, rules)
  if (issuer === undefined) throw errors.invalid('the token is of another issuer')
  const header = readHeader(token, issuer, rules, errors)
  const key = await issuer.keys.find(header)
  if (key === undefined) throw errors.invalid('the token names no key that is known')
  if (misfit(key, header.alg) !== undefined) throw errors.invalid("the token's algorithm is not its key's")
  const payload = verifySignature(token, key, header.alg, issuer, rules, errors)
  issuer.keys.confirm?.(header)
  return checkClaims(payload, rules, errors)
}

/** The rules for a token by what it says of its issuer, which is proven by the keys of that issuer only. */
function issuerOf(token: string, { issuers }: TokenRules): IssuerRules | undefined {
  if ('algorithms' in issuers) return issuers
  const payload = parsePart(token, 2)
  return isRecord(payload) && typeof payload.iss === 'string' ? issuers.get(payload.iss) : undefined
}

function readHeader(token: string, { algorithms }: IssuerRules, rules: TokenRules, errors: BearerErrors): TokenHeader {
  const header = parsePart(token, 1)
  if (!isRecord(header)) throw errors.invalid('the token is no JWT')
  const alg = algorithms.find(algorithm => algorithm === header.alg)
  if (alg === undefined) throw errors.invalid("the token's algorithm is not accepted")
  // RFC 7515, section 4.1.11: what we do not understand we must not ignore, and we understand no extension.
  if (Object.hasOwn(header, 'crit')) throw errors.invalid('the token asks for extensions')
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

// RFC 7515, section 4.1.9: media types are case-insensitive, and `application/` may be left out.
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
    // Synchronously: with its asynchronous form a payload of `null` is an uncaught exception.
    return jwt.verify(token, key, {
      algorithms: [alg],
      ...(issuer !== undefined && { issuer }),
      ...(audience && { audience: [...audience] }),
      clockTimestamp: clock.now() / 1000,
      clockTolerance: clockTolerance / 1000,
    })
  } catch (error) {
    // Its messages quote what was in the token, so they go no further.
    if (error instanceof jwt.TokenExpiredError) throw errors.expired()
    throw errors.invalid(reason(error))
  }
}

function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  if (error instanceof jwt.NotBeforeError) return 'the token is not valid yet'
  if (message.startsWith('jwt audience')) return 'the token is for another audience'
  if (message.startsWith('jwt issuer')) return 'the token is of another issuer'
  if (message === 'invalid signature') return "the token's signature is wrong"
  return 'the token could not be verified'
}

function checkClaims(payload: unknown, rules: TokenRules, errors: BearerErrors): TokenClaims {
  const now = rules.clock.now()
  if (!isRecord(payload)) throw errors.invalid("the token's payload is no object")
  const { exp, iat, sub, jti } = payload
  if (typeof exp !== 'number') throw errors.invalid('the token never expires')
  // The tolerance is for tokens from the future: a stream that is opened after `exp` would be closed at once.
  if (exp * 1000 <= now) throw errors.expired()
  // Infinity, which JSON can write as 1e400, and a time in milliseconds are too late as well.
  if (exp * 1000 > now + rules.maxTtl) throw errors.invalid('the token expires too late')
  if (iat !== undefined && !isPast(iat, now + rules.clockTolerance))
    throw errors.invalid('the token is from the future')
  if (sub !== undefined && typeof sub !== 'string') throw errors.invalid("the token's subject is no string")
  if (jti !== undefined && !isTokenId(jti)) throw errors.invalid('the token has a `jti` that could not be revoked')
  return Object.freeze({ ...payload, exp })
}

// The application would revoke it, and the token go on working.
function isTokenId(jti: unknown): boolean {
  return typeof jti === 'string' && jti !== '' && jti.length <= MAX_TOKEN_ID
}

function isPast(time: unknown, now: number): boolean {
  return typeof time === 'number' && time * 1000 <= now
}
