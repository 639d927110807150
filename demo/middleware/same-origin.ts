import type { Context, Middleware } from 'koa'

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Refuses to change anything on behalf of another site's page (CSRF). The session cookie's SameSite says the same to
 * browsers; this holds for sibling subdomains too.
 *
 * Browsers tell where a request comes from in `Sec-Fetch-Site`, but only to trustworthy URLs (Fetch Metadata, section
 * 2): over plain HTTP to another host than localhost, `Origin` is what there is.
 */
export const sameOrigin: Middleware = (ctx, next) => {
  if (SAFE_METHODS.has(ctx.method) || isSameOrigin(ctx)) return next()
  ctx.throw(403, 'This request came from another site.')
}

function isSameOrigin(ctx: Context): boolean {
  const site = ctx.get('Sec-Fetch-Site')
  if (site !== '') return site === 'same-origin' || site === 'none'
  const origin = ctx.get('Origin')
  return URL.canParse(origin) && new URL(origin).host === ctx.host
}
