import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { send } from '@koa/send'
import type { Middleware } from 'koa'
import { DEMO } from '../folder.ts'

const require = createRequire(import.meta.url)

/** The folders that are served, by the start of their URL. Longest first. The client is what `npm run build:client` makes. */
const ROOTS = [
  ['/assets/uplot/', dirname(require.resolve('uplot'))],
  ['/assets/koa-event-stream/', join(DEMO, '../dist/client')],
  ['/assets/', join(DEMO, 'public')],
] as const

/** Serves the site's own scripts and styles, those of a library from where npm put them, and the client. */
export const staticFiles: Middleware = (ctx, next) => {
  const place = ROOTS.find(([prefix]) => ctx.path.startsWith(prefix))
  if (!place || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next()
  const [prefix, root] = place
  const file = ctx.path.slice(prefix.length)
  // A folder is nothing to be seen.
  if (file === '' || file.endsWith('/')) return next()
  ctx.set('Cache-Control', 'no-cache')
  return send(ctx, file, { root })
}
