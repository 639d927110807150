import { completeClock, type Clock } from '../../clock.ts'
import { duration, fn, integer, invalid, knownKeys, oneOf, text, texts } from '../../options.ts'
import { DEFAULT_REALM, quotable } from '../challenge.ts'
import type { Answer } from '../principal.ts'
import { checkKeyOptions, checkKeyTimeout, KEY_OPTIONS, type KeyOptions } from '../keys/options.ts'
import type { TokenClaims } from './claims.ts'
import type { TokenRules } from './verifier.ts'
import { ALGORITHMS, isHmac, type Algorithm } from '../keys/verification-key.ts'

/** How far `iat` and `nbf` may lie ahead of our clock: 5 seconds, in milliseconds. */
export const DEFAULT_CLOCK_TOLERANCE = 5_000
/** How far ahead `exp` may lie: 24 hours, in milliseconds. */
export const DEFAULT_MAX_LIFETIME = 24 * 60 * 60 * 1000
/** The largest token: 8 KiB, in bytes. */
export const DEFAULT_MAX_TOKEN_BYTES = 8 * 1024
/** The accepted `typ` headers: a plain JWT, and an access token (RFC 9068, section 2.1). */
export const DEFAULT_TYPES = ['JWT', 'at+jwt'] as const

export interface BearerTokenOptions<Claims extends object = TokenClaims> extends KeyOptions {
  /** The accepted signature algorithms. HS* cannot be mixed with the others. */
  algorithms: readonly Algorithm[]
  /** Whose tokens are accepted (`iss`), or `false` for anyone's who has the key. */
  issuer: string | readonly string[] | false
  /** For whom tokens must be (`aud`), or `false` for tokens that are for anyone. */
  audience: string | readonly string[] | false
  /** Scopes that a token must have, all of them, in `scope` or `scp`; 403 otherwise. Default: none. */
  scope?: string | readonly string[]
  /** Accepted `typ` headers, in any case, with or without `application/`; a token without is accepted. Default: `JWT` and `at+jwt`. */
  types?: string | readonly string[]
  /**
   * Says whose token it is: `{ id, expiresAt?, claims? }`, or something falsy to refuse it. Default: `{ id: claims.sub }`,
   * with all the claims. It may take as long as `keyTimeout`.
   */
  identify?: (claims: Claims) => Answer<Claims>
  /** How far `iat` and `nbf` may lie ahead of our clock, in milliseconds. `exp` is taken literally. Default: 5 s. */
  clockTolerance?: number
  /** How far ahead `exp` may lie, in milliseconds. Default: 24 h. */
  maxLifetime?: number
  /** The largest token, in bytes. Default: 8 KiB. */
  maxBytes?: number
  /** The realm named in challenges. Default: `events`. */
  realm?: string
  /** Where time comes from. For tests. */
  clock?: Partial<Clock>
}

/** The options in the shape that the authenticator works with. */
export interface CheckedBearerOptions extends TokenRules {
  readonly scopes: readonly string[]
  readonly identify: (claims: TokenClaims) => unknown
  readonly maxBytes: number
  readonly timeout: number
  readonly realm: string
}

const OPTIONS = [
  ...KEY_OPTIONS,
  'algorithms',
  'issuer',
  'audience',
  'scope',
  'types',
  'identify',
  'clockTolerance',
  'maxLifetime',
  'maxBytes',
  'realm',
  'clock',
] as const satisfies readonly (keyof BearerTokenOptions)[]

/**
 * @param name whose options they are
 * @param others what it takes besides
 * @throws {TypeError} that names the option that is wrong.
 */
export function checkBearerOptions<Claims extends object>(
  options: BearerTokenOptions<Claims>,
  name = 'bearerToken',
  others: readonly string[] = [],
): CheckedBearerOptions {
  knownKeys(name, options, [...OPTIONS, ...others])
  const algorithms = checkAlgorithms(options.algorithms)
  const clock = completeClock(options.clock)
  return Object.freeze({
    algorithms,
    keys: checkKeyOptions(options, algorithms, clock),
    issuer: claimValues('issuer', options.issuer),
    audience: claimValues('audience', options.audience),
    scopes: options.scope === undefined ? [] : scopeTokens(options.scope),
    types: texts('types', options.types ?? DEFAULT_TYPES).map(type => type.toLowerCase().replace(/^application\//, '')),
    // The claims of a token are its issuer's; only the application can know that they have this shape.
    identify: fn('identify', options.identify as ((claims: TokenClaims) => unknown) | undefined, bySubject),
    clockTolerance: duration('clockTolerance', options.clockTolerance, { min: 0, default: DEFAULT_CLOCK_TOLERANCE }),
    maxLifetime: integer('maxLifetime', options.maxLifetime, { min: 1, default: DEFAULT_MAX_LIFETIME }),
    maxBytes: integer('maxBytes', options.maxBytes, { min: 1, default: DEFAULT_MAX_TOKEN_BYTES }),
    realm: quotable('realm', text('realm', options.realm, DEFAULT_REALM)),
    timeout: checkKeyTimeout(options),
    clock,
  })
}

function bySubject({ sub }: TokenClaims): unknown {
  return sub && { id: sub }
}

function checkAlgorithms(given: readonly Algorithm[]): readonly Algorithm[] {
  if (!Array.isArray(given)) throw invalid('algorithms', 'a list of signature algorithms', given)
  const algorithms = texts('algorithms', given).map(name => oneOf('algorithms', name as Algorithm, ALGORITHMS))
  // A server that takes both can be made to take the text of a public key for a secret (RFC 8725, section 2.1).
  if (algorithms.some(isHmac) && !algorithms.every(isHmac)) {
    throw new TypeError('`algorithms` must not mix HS* with public-key algorithms')
  }
  return Object.freeze(algorithms)
}

type ClaimValues = string | readonly string[] | false | undefined

function claimValues(name: string, value: ClaimValues): [string, ...string[]] | undefined {
  if (value === false) return undefined
  if (value === undefined) throw invalid(name, 'a string or a list of strings, or `false` to accept any', value)
  const [first, ...others] = texts(name, value)
  return first === undefined ? undefined : [first, ...others]
}

// Scopes are quoted in the challenge (RFC 6750, section 3).
function scopeTokens(scope: string | readonly string[]): readonly string[] {
  return texts('scope', scope).flatMap(item => quotable('scope', item).split(' '))
}
