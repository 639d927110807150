import type { Context } from 'koa'
import type { BearerErrors } from './bearer-error.ts'

// The scheme is case-insensitive (RFC 9110, section 11.1); `Bearer` alone announces a token that is not there.
const SCHEME = /^bearer(?=[ \t]|$)/i
const TOKEN = /^ +([\w.~+/-]+=*)$/

/**
 * Takes the token out of `Authorization: Bearer <token>` (RFC 6750, section 2.1), or answers `undefined` where the
 * request carries none or one of another scheme.
 *
 * @throws {AuthenticationError} `malformed` for two `Authorization` headers and for what is no token;
 *   `rejected` for a token over `maxBytes`.
 */
export function bearerCredentials(ctx: Context, maxBytes: number, errors: BearerErrors): string | undefined {
  if (authorizationHeaders(ctx) > 1) throw errors.malformed('the request carries two Authorization headers')
  const credentials = ctx.get('Authorization')
  if (!SCHEME.test(credentials)) return undefined
  const rest = credentials.slice('bearer'.length)
  if (rest.trim().length > maxBytes) throw errors.invalid(`the token is larger than ${String(maxBytes)} bytes`)
  const token = TOKEN.exec(rest)?.[1]
  if (token === undefined) throw errors.malformed('the Authorization header holds no bearer token')
  return token
}

// Node keeps the first of two and drops the other, which a proxy before us may have believed.
function authorizationHeaders(ctx: Context): number {
  return ctx.req.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization').length
}
