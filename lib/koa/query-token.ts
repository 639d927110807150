import type { Context } from 'koa'
import { markQueryToken, queryCredentials } from '../auth/jwt/credentials.ts'
import { tokenAuthenticator, type FindToken } from '../auth/jwt/bearer-token.ts'
import type { TokenClaims } from '../auth/jwt/claims.ts'
import type { IssuersOptions } from '../auth/jwt/issuers.ts'
import { checkTokenOptions, type ClaimsOf, type TokenOptions } from '../auth/jwt/options.ts'
import { checkParam, concealedValues, concealParameter, hideBy, type QueryAuthenticator } from './query-parameter.ts'

/** The parameter that carries the token (RFC 6750, section 2.3). */
export const DEFAULT_TOKEN_PARAM = 'access_token'

/** The options of `queryToken()`: those of `bearerToken()` but `tokenFrom`, and the name of the parameter. */
export type QueryTokenOptions<
  Claims extends object = TokenClaims,
  Own extends object = ClaimsOf<Claims>,
> = IssuersOptions &
  TokenOptions<Claims, Own> & {
    /** The parameter that carries the token. Default: `access_token`. */
    param?: string
  }

/**
 * Authenticates by a JWT in the query, for clients that cannot set headers. The token is verified as by
 * `bearerToken()`; the scheme of identities is `query`.
 *
 * RFC 6750, section 2.3, advises against this unless there is no other way: URLs end up in the logs of proxies and in
 * histories, and unlike a ticket of `urlTicket()` the token remains valid until it expires. Prefer `urlTicket()`;
 * otherwise give these tokens a lifetime of a few minutes and an `audience` of their own.
 *
 * - The parameter is removed from `ctx.url`, `ctx.querystring`, `ctx.originalUrl` and `ctx.req.url` as soon as
 *   `eventStream()` runs, even if it refuses the request. Mount `hide` before middleware that logs.
 * - A token in the header as well, or two in the query: 400, whatever the order of the authenticators.
 * - Responses have `Referrer-Policy: no-referrer` and `Cache-Control: no-store`.
 *
 * @throws {TypeError} for a wrong option
 */
export function queryToken<Claims extends object = TokenClaims, Own extends object = ClaimsOf<Claims>>(
  options: QueryTokenOptions<Claims, Own>,
): QueryAuthenticator<Own> {
  const rules = checkTokenOptions('queryToken', options, ['param'])
  const param = checkParam(options.param, DEFAULT_TOKEN_PARAM)
  const conceal = (ctx: Context): void => {
    concealParameter(ctx, param)
    if (concealedValues(ctx, param).length > 0) markQueryToken(ctx)
  }
  const find: FindToken = (ctx, maxBytes, errors) => {
    conceal(ctx)
    return queryCredentials(ctx, concealedValues(ctx, param), maxBytes, errors)
  }
  return Object.freeze({
    ...tokenAuthenticator<Own>('query', rules, find),
    conceal,
    hide: hideBy(conceal),
  })
}
