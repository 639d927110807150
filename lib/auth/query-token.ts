import type { Context } from 'koa'
import { concealToken, queryCredentials } from './bearer-credentials.ts'
import { checkBearerOptions, type BearerTokenOptions } from './bearer-options.ts'
import { tokenAuthenticator } from './bearer-token.ts'
import { checkParam, hideBy, type QueryAuthenticator } from './query-parameter.ts'
import type { TokenClaims } from './token-claims.ts'

/** The parameter that carries the token (RFC 6750, section 2.3). */
export const DEFAULT_TOKEN_PARAM = 'access_token'

export interface QueryTokenOptions<Claims extends object = TokenClaims> extends BearerTokenOptions<Claims> {
  /** The parameter that carries the token. Default: `access_token`. */
  param?: string
}

/**
 * Authenticates by a JWT in the query, for clients that cannot set headers. The token is verified as `bearerToken()` does;
 * the scheme of identities is `query`.
 *
 * RFC 6750, section 2.3, says that this should not be used unless there is no other way: URLs get into the logs of
 * proxies and into histories, and unlike a ticket of `urlTicket()` the token is good for as long as it has not expired.
 * Prefer `urlTicket()`; else give these tokens a few minutes and an `audience` of their own.
 *
 * - The parameter is removed from `ctx.url`, `ctx.querystring`, `ctx.originalUrl` and `ctx.req.url` as soon as
 *   `eventStream()` is reached, even if it refuses the request. Mount `hide` before middleware that logs.
 * - A token in the header besides, or two in the query: 400, in whatever order the authenticators are.
 * - The answers are marked `Referrer-Policy: no-referrer` and `Cache-Control: no-store`.
 *
 * @throws {TypeError} for a wrong option
 */
export function queryToken<Claims extends object = TokenClaims>(
  options: QueryTokenOptions<Claims>,
): QueryAuthenticator {
  const rules = checkBearerOptions(options, 'queryToken', ['param'])
  const param = checkParam(options.param, DEFAULT_TOKEN_PARAM)
  const conceal = (ctx: Context): void => {
    concealToken(ctx, param)
  }
  return Object.freeze({
    ...tokenAuthenticator('query', rules, (ctx, maxBytes, errors) => queryCredentials(ctx, param, maxBytes, errors)),
    conceal,
    hide: hideBy(conceal),
  })
}
