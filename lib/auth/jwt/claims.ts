/** The payload of a verified token (RFC 7519, section 4.1). Frozen. */
export interface TokenClaims {
  readonly sub?: string
  /** The id for revocation, 1 to 256 characters. */
  readonly jti?: string
  /** Seconds since 1970, as are `nbf` and `iat`. */
  readonly exp: number
  readonly nbf?: number
  readonly iat?: number
  readonly [claim: string]: unknown
}

/** Whether a token was granted all the needed scopes, in `scope` (RFC 8693, section 4.2) or `scp`. */
export function hasScopes({ scope, scp }: TokenClaims, needed: readonly string[]): boolean {
  const granted = [...scopes(scope), ...scopes(scp)]
  return needed.every(one => granted.includes(one))
}

// Authorization servers differ: a list, or one space-separated string.
function scopes(claim: unknown): unknown[] {
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim : []
}
