import type { Context } from 'koa'

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
 * by `Sec-Fetch-Site` (W3C Fetch Metadata), as every current browser sends it. A client that sends neither is no browser
 * and has no user's cookie to abuse.
 */
export function mayUseCookie(ctx: Context, allowed: ReadonlySet<string>): boolean {
  const origin = ctx.get('origin')
  const site = ctx.get('sec-fetch-site')
  if (origin === '') return site === '' || site === 'same-origin' || site === 'none'
  if (allowed.has(origin)) return true
  if (origin === `${ctx.protocol}://${ctx.host}`) return true
  // Behind a proxy that ends TLS and that Koa was not told of, the scheme differs; the browser knows better.
  return site === 'same-origin' && origin === `https://${ctx.host}`
}
