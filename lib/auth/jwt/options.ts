import type { Context } from 'koa'
import { completeClock, type Clock } from '../../clock.ts'
import { duration, fn, integer, knownKeys, text, texts } from '../../options.ts'
import { DEFAULT_REALM, quotable } from '../challenge.ts'
import type { UnknownClaims } from '../identity.ts'
import type { Answer, Principal } from '../principal.ts'
import type { TokenClaims } from './claims.ts'
import { checkIssuers, ISSUERS_OPTIONS, type IssuersOptions } from './issuers.ts'
import type { TokenRules } from './verifier.ts'

/** How far `iat` and `nbf` may be in the future: 5 seconds, in milliseconds. */
export const DEFAULT_CLOCK_TOLERANCE = 5_000
/** How far `exp` may be in the future: 24 hours, in milliseconds. */
export const DEFAULT_MAX_TTL = 24 * 60 * 60 * 1000
/** The largest token: 8 KiB, in bytes. */
export const DEFAULT_MAX_TOKEN_BYTES = 8 * 1024
/** The accepted `typ` headers: a plain JWT, and an access token (RFC 9068, section 2.1). */
export const DEFAULT_TYPES = ['JWT', 'at+jwt'] as const

/** The type of `identity.claims` if `identify` returns no `claims`: that of the token's claims. */
export type ClaimsOf<Claims extends object> = string extends keyof Claims ? UnknownClaims : Claims

/** Options of tokens from any part of the request. */
export interface TokenOptions<Claims extends object = TokenClaims, Own extends object = ClaimsOf<Claims>> {
  /** Scopes that a token must have, all of them, in `scope` or `scp`; 403 otherwise. Default: none. */
  scope?: string | readonly string[]
  /**
   * Accepted `typ` headers, case-insensitive, with or without `application/`. If set, a token without `typ` is refused:
   * `at+jwt` accepts access tokens only (RFC 9068, section 4; RFC 8725, section 3.11). Default: `JWT`, `at+jwt`, or no
   * `typ`.
   */
  types?: string | readonly string[]
  /**
   * Returns the token's principal: `{ id, expiresAt?, claims? }`, or a falsy value to refuse the token. Default:
   * `{ id: claims.sub }`, with all the claims. The type of the returned `claims` is that of `identity.claims`. The
   * second argument is Koa's context, for tokens bound to something else, such as a client certificate (`cnf`; RFC
   * 8705, section 3.1). Times out after `keyTimeout`, the longest of all issuers'.
   */
  identify?: (claims: Claims, ctx: Context) => Answer<Claims, Principal<Own>>
  /** How far `iat` and `nbf` may be in the future, in milliseconds. There is no tolerance for `exp`. Default: 5 s. */
  clockTolerance?: number
  /** How far `exp` may be in the future, in milliseconds. Default: 24 h. */
  maxTtl?: number
  /** The largest token, in bytes. Default: 8 KiB. */
  maxBytes?: number
  /** The realm named in challenges. Default: `events`. */
  realm?: string
  /** Source of time. For tests, which give it the hub's. */
  clock?: Partial<Clock> | undefined
}

/** The options of `bearerToken()`. */
export type BearerTokenOptions<
  Claims extends object = TokenClaims,
  Own extends object = ClaimsOf<Claims>,
> = IssuersOptions &
  TokenOptions<Claims, Own> & {
    /**
     * Returns a token from elsewhere than `Authorization`, such as an HttpOnly cookie:
     * `ctx => ctx.cookies.get('token')`. Synchronous; `undefined` or an empty string if there is none. Browsers send
     * cookies automatically, so the origin of requests is checked (`ambient`). Default: the header.
     */
    tokenFrom?: (ctx: Context) => string | undefined
  }

/** The resolved options. */
export interface CheckedTokenOptions extends TokenRules {
  readonly scopes: readonly string[]
  readonly identify: (claims: TokenClaims, ctx: Context) => unknown
  readonly maxBytes: number
  readonly timeout: number
  readonly realm: string
}

const OPTIONS = [
  ...ISSUERS_OPTIONS,
  'scope',
  'types',
  'identify',
  'clockTolerance',
  'maxTtl',
  'maxBytes',
  'realm',
  'clock',
] as const satisfies readonly (keyof (IssuersOptions & TokenOptions))[]

/**
 * @param name whose options they are
 * @param others further options of the caller
 * @throws {TypeError} naming the invalid option
 */
export function checkTokenOptions<Claims extends object, Own extends object>(
  name: string,
  options: IssuersOptions & TokenOptions<Claims, Own>,
  others: readonly string[],
): CheckedTokenOptions {
  knownKeys(name, options, [...OPTIONS, ...others])
  const clock = completeClock(options.clock)
  return Object.freeze({
    ...checkIssuers(options, clock),
    scopes: options.scope === undefined ? [] : scopeTokens(options.scope),
    types: texts('types', options.types ?? DEFAULT_TYPES).map(type => type.toLowerCase().replace(/^application\//, '')),
    isTypeRequired: options.types !== undefined,
    // The issuer sets the claims; the type is the application's promise.
    identify: fn('identify', options.identify as CheckedTokenOptions['identify'] | undefined, bySubject),
    clockTolerance: duration('clockTolerance', options.clockTolerance, { min: 0, default: DEFAULT_CLOCK_TOLERANCE }),
    maxTtl: integer('maxTtl', options.maxTtl, { min: 1, default: DEFAULT_MAX_TTL }),
    maxBytes: integer('maxBytes', options.maxBytes, { min: 1, default: DEFAULT_MAX_TOKEN_BYTES }),
    realm: quotable('realm', text('realm', options.realm, DEFAULT_REALM)),
    clock,
  })
}

function bySubject({ sub }: TokenClaims): unknown {
  return sub && { id: sub }
}

// Scopes are quoted in the challenge (RFC 6750, section 3).
function scopeTokens(scope: string | readonly string[]): readonly string[] {
  return texts('scope', scope).flatMap(item => quotable('scope', item).split(' '))
}
