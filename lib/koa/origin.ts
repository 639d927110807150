import type { Context } from 'koa'
import { AuthenticationError } from '../auth/authentication-error.ts'

/**
 * Checks an origin that an operator lists, and answers it as browsers spell it.
 *
 * @throws {TypeError} for anything but scheme, host and port: a wildcard would hand every user's stream to every site
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
 * Whether the page behind a request may use the user's cookie. Any page on the web can cause such a request, and the
 * browser would add the cookie by itself.
 *
 * A cross-origin EventSource or `fetch` names its `Origin`. Images, scripts and no-cors requests do not, but are told
 * by `Sec-Fetch-Site` (W3C Fetch Metadata), which current browsers send to every https site, and which no page can set.
 * They do not send it to a plain http site: there an image on any page can open a stream, which no page can read.
 */
export function mayUseCookie(ctx: Context, allowed: ReadonlySet<string>): boolean {
  const origin = ctx.get('origin')
  const site = ctx.get('sec-fetch-site')
  if (allowed.has(origin)) return true
  // The browser knows the address that it asked; a proxy may have changed the scheme and the `Host` that came here.
  if (site === 'same-origin') return true
  if (origin === '') return site === '' || site === 'none'
  // What the browser says counts for more: a proxy that ends TLS makes `http://` pages of this host look like our own.
  return site === '' && origin === `${ctx.protocol}://${ctx.host}`
}

/**
 * What is to be done where a browser asks whether another origin's page may send a request (Fetch standard, "CORS-preflight
 * request"), and gets as far as authentication. Such a request never has credentials.
 */
export function strayPreflight(ctx: Context): AuthenticationError | undefined {
  if (ctx.method !== 'OPTIONS' || ctx.get('access-control-request-method') === '') return undefined
  return new AuthenticationError(
    'rejected',
    'a CORS preflight was asked for a login: mount what answers it, such as @koa/cors, before this middleware',
  )
}

/**
 * Whether somebody follows a link of another site's page, or of a mail: a request that is safe (RFC 9110, section 9.2.1),
 * and whose answer shows in a tab, where the page that it came from cannot read it. In a frame it is that page's.
 */
export function isLinked(ctx: Context): boolean {
  const isSafe = ctx.method === 'GET' || ctx.method === 'HEAD'
  return isSafe && ctx.get('sec-fetch-mode') === 'navigate' && ctx.get('sec-fetch-dest') === 'document'
}

/** What a refused request said of its page, and what it could have said: for the operator, who may have to list it. */
export function foreignOrigin(ctx: Context, allowed: ReadonlySet<string>): AuthenticationError {
  const got = `Origin ${shown(ctx.get('origin'))} and Sec-Fetch-Site ${shown(ctx.get('sec-fetch-site'))}`
  const expected = [`${ctx.protocol}://${ctx.host}`, ...allowed].map(shown).join(', ')
  return new AuthenticationError(
    'forbidden',
    `a request with ${got} came with the user's cookie; it may come from pages of ${expected}, those in \`origins\` included`,
  )
}

// The client's own words: quoted, so that they cannot pose as ours, and not at any length.
function shown(header: string): string {
  return header === '' ? '(none)' : JSON.stringify(header.slice(0, 200))
}
