import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import type { BearerErrors } from '../bearer-error.ts'

// The scheme is case-insensitive (RFC 9110, section 11.1); `Bearer` alone is a scheme without a token.
const SCHEME = /^bearer(?=[ \t]|$)/i
const HEADER = /^ +([\w.~+/-]+=*)$/
const TOKEN = /^[\w.~+/-]+=*$/

// Requests with a token in the query.
const queried = new WeakSet<IncomingMessage>()

/**
 * Extracts the token from `Authorization: Bearer <token>` (RFC 6750, section 2.1); `undefined` if there is none or the
 * scheme is another.
 *
 * @throws {AuthenticationError} `malformed` for two `Authorization` headers, for a malformed token, and for a token in
 *   the query as well; `rejected` for a token over `maxBytes`.
 */
export function bearerCredentials(ctx: Context, maxBytes: number, errors: BearerErrors): string | undefined {
  if (authorizationHeaders(ctx) > 1) throw errors.malformed('the request carries two Authorization headers')
  const credentials = ctx.get('Authorization')
  if (!SCHEME.test(credentials)) return undefined
  requireOneMethod(ctx, errors)
  const rest = credentials.slice('bearer'.length)
  if (rest.trim().length > maxBytes) throw tooLarge(maxBytes, errors)
  const token = HEADER.exec(rest)?.[1]
  if (token === undefined) throw errors.malformed('the Authorization header contains no bearer token')
  return token
}

/**
 * Extracts the token from the query parameter (RFC 6750, section 2.3); `undefined` if there is none.
 *
 * @throws {AuthenticationError} `malformed` for two parameters, for a malformed token, and for a token in the header as
 *   well; `rejected` for a token over `maxBytes`.
 */
export function queryCredentials(
  ctx: Context,
  values: readonly string[],
  maxBytes: number,
  errors: BearerErrors,
): string | undefined {
  const [token, ...others] = values
  if (token === undefined) return undefined
  if (others.length > 0) throw errors.malformed('the query carries two tokens')
  requireOneMethod(ctx, errors)
  if (token.length > maxBytes) throw tooLarge(maxBytes, errors)
  if (!TOKEN.test(token)) throw errors.malformed('the query contains no bearer token')
  return token
}

/**
 * Checks the token that the application's `tokenFrom` returned; `undefined` if there is none.
 *
 * @throws {AuthenticationError} `rejected` for a malformed token, and for one over `maxBytes`
 * @throws {TypeError} if it is not a string
 */
export function elsewhereCredentials(found: unknown, maxBytes: number, errors: BearerErrors): string | undefined {
  if (found === undefined || found === '') return undefined
  if (typeof found !== 'string') throw new TypeError('`tokenFrom` must return a string, or `undefined` for no token')
  if (found.length > maxBytes) throw tooLarge(maxBytes, errors)
  // 401, not 400: the request itself is well-formed, and a new login sets a new token.
  if (!TOKEN.test(found)) throw errors.invalid('`tokenFrom` returned no valid token')
  return found
}

/** Marks the request as having a token in its query, for all authenticators. */
export function markQueryToken(ctx: Context): void {
  queried.add(ctx.req)
}

// RFC 6750, section 2: "Clients MUST NOT use more than one method to transmit the token in each request."
function requireOneMethod(ctx: Context, errors: BearerErrors): void {
  if (!queried.has(ctx.req) || !SCHEME.test(ctx.get('Authorization'))) return
  throw errors.malformed('the request carries a token in the Authorization header and in the query')
}

function tooLarge(maxBytes: number, errors: BearerErrors): Error {
  return errors.invalid(`the token exceeds ${String(maxBytes)} bytes`)
}

// Node keeps the first of two and drops the other, which a proxy in front may have used.
function authorizationHeaders(ctx: Context): number {
  return ctx.req.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization').length
}
