import type { Context } from 'koa'
import { AuthenticationError } from '../auth/authentication-error.ts'

/**
 * Checks an origin from the options, and returns it as browsers spell it.
 *
 * @throws {TypeError} for anything but scheme, host and port: a wildcard would open every user's stream to every site
 */
export function readOrigin(origin: unknown): string {
  if (typeof origin === 'string' && URL.canParse(origin)) {
    const url = new URL(origin)
    const isWeb = url.protocol === 'https:' || url.protocol === 'http:'
    if (isWeb && !url.hostname.includes('*') && origin.replace(/\/$/, '') === url.origin) return url.origin
  }
  throw new TypeError('`origins` must list origins such as https://app.example.com; wildcards and `null` are refused')
}

/**
 * Whether the page that sent a request may use the user's cookie. Any page on the web can cause such a request, and the
 * browser adds the cookie automatically.
 *
 * A cross-origin EventSource or `fetch` sends `Origin`. Images, scripts and no-cors requests do not, but have
 * `Sec-Fetch-Site` (W3C Fetch Metadata), which current browsers send to every https site and no page can set. They do
 * not send it to plain http sites: there an image on any page can open a stream, which no page can read.
 */
export function mayUseCookie(ctx: Context, allowed: ReadonlySet<string>): boolean {
  const origin = ctx.get('origin')
  const site = ctx.get('sec-fetch-site')
  if (allowed.has(origin)) return true
  // The browser knows the URL that it requested; a proxy may have changed the scheme and the `Host` seen here.
  if (site === 'same-origin') return true
  if (origin === '') return site === '' || site === 'none'
  // `Sec-Fetch-Site` takes precedence: behind a proxy that terminates TLS, `http://` pages of this host look like our
  // own.
  return site === '' && origin === `${ctx.protocol}://${ctx.host}`
}

/**
 * The error for a CORS preflight (Fetch standard, "CORS-preflight request") that gets as far as authentication. A
 * preflight never has credentials.
 */
export function strayPreflight(ctx: Context): AuthenticationError | undefined {
  if (ctx.method !== 'OPTIONS' || ctx.get('access-control-request-method') === '') return undefined
  return new AuthenticationError(
    'rejected',
    'a CORS preflight reached authentication: mount a middleware that answers it, such as @koa/cors, before this one',
  )
}

/**
 * Whether the user follows a link on another site's page or in a mail: a safe request (RFC 9110, section 9.2.1) whose
 * response is displayed in a tab, where the linking page cannot read it. A frame does not count.
 */
export function isLinked(ctx: Context): boolean {
  const isSafe = ctx.method === 'GET' || ctx.method === 'HEAD'
  return isSafe && ctx.get('sec-fetch-mode') === 'navigate' && ctx.get('sec-fetch-dest') === 'document'
}

/** Names the origin of a refused request and the allowed ones, for the operator, who may have to add it. */
export function foreignOrigin(ctx: Context, allowed: ReadonlySet<string>): AuthenticationError {
  const got = `Origin ${shown(ctx.get('origin'))} and Sec-Fetch-Site ${shown(ctx.get('sec-fetch-site'))}`
  const expected = [`${ctx.protocol}://${ctx.host}`, ...allowed].map(shown).join(', ')
  return new AuthenticationError(
    'forbidden',
    `a request with ${got} came with the user's cookie; it may come from pages of ${expected}: add others to \`origins\``,
  )
}

// Text from the client: quoted, so that it cannot pose as ours, and truncated.
function shown(header: string): string {
  return header === '' ? '(none)' : JSON.stringify(header.slice(0, 200))
}
