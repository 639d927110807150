import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import type { BearerErrors } from '../bearer-error.ts'

// The scheme is case-insensitive (RFC 9110, section 11.1); `Bearer` alone announces a token that is not there.
const SCHEME = /^bearer(?=[ \t]|$)/i
const HEADER = /^ +([\w.~+/-]+=*)$/
const TOKEN = /^[\w.~+/-]+=*$/

// Requests with a token in the query.
const queried = new WeakSet<IncomingMessage>()

/**
 * Takes the token out of `Authorization: Bearer <token>` (RFC 6750, section 2.1), or answers `undefined` where the
 * request carries none or one of another scheme.
 *
 * @throws {AuthenticationError} `malformed` for two `Authorization` headers, for what is no token, and for a token in the
 *   query besides; `rejected` for a token over `maxBytes`.
 */
export function bearerCredentials(ctx: Context, maxBytes: number, errors: BearerErrors): string | undefined {
  if (authorizationHeaders(ctx) > 1) throw errors.malformed('the request carries two Authorization headers')
  const credentials = ctx.get('Authorization')
  if (!SCHEME.test(credentials)) return undefined
  requireOneMethod(ctx, errors)
  const rest = credentials.slice('bearer'.length)
  if (rest.trim().length > maxBytes) throw tooLarge(maxBytes, errors)
  const token = HEADER.exec(rest)?.[1]
  if (token === undefined) throw errors.malformed('the Authorization header holds no bearer token')
  return token
}

/**
 * Takes the token out of the values of the query's parameter (RFC 6750, section 2.3), or answers `undefined` where the
 * request carries none there.
 *
 * @throws {AuthenticationError} `malformed` for two parameters, for what is no token, and for a token in the header
 *   besides; `rejected` for a token over `maxBytes`.
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
  if (!TOKEN.test(token)) throw errors.malformed('the query holds no bearer token')
  return token
}

/**
 * Takes the token that an application has found elsewhere in the request, or answers `undefined` where there is none.
 *
 * @throws {AuthenticationError} `rejected` for what is no token, and for one over `maxBytes`
 * @throws {TypeError} for what is no string
 */
export function elsewhereCredentials(found: unknown, maxBytes: number, errors: BearerErrors): string | undefined {
  if (found === undefined || found === '') return undefined
  if (typeof found !== 'string') throw new TypeError('`tokenFrom` must answer a string, or `undefined` for no token')
  if (found.length > maxBytes) throw tooLarge(maxBytes, errors)
  // Whoever logs in gets another one; the request itself is well-formed.
  if (!TOKEN.test(found)) throw errors.invalid('`tokenFrom` found no token')
  return found
}

/** Remembers, for all authenticators of the request, that its query carries a token. */
export function markQueryToken(ctx: Context): void {
  queried.add(ctx.req)
}

// RFC 6750, section 2: "Clients MUST NOT use more than one method to transmit the token in each request."
function requireOneMethod(ctx: Context, errors: BearerErrors): void {
  if (!queried.has(ctx.req) || !SCHEME.test(ctx.get('Authorization'))) return
  throw errors.malformed('the request carries a token in the Authorization header and in the query')
}

function tooLarge(maxBytes: number, errors: BearerErrors): Error {
  return errors.invalid(`the token is larger than ${String(maxBytes)} bytes`)
}

// Node keeps the first of two and drops the other, which a proxy before us may have believed.
function authorizationHeaders(ctx: Context): number {
  return ctx.req.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization').length
}
