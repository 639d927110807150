import type { Middleware } from 'koa'
import { bundleClient } from '../package/client-bundle.ts'

let bundled: ReturnType<typeof bundleClient> | undefined

/** Serves the client below `/client/`, as the build makes it. */
export function clientFiles(): Middleware {
  return async (ctx, next) => {
    bundled ??= bundleClient()
    const file = (await bundled).find(({ name }) => ctx.path === `/client/${name}`)
    if (!file) return next()
    ctx.type = 'text/javascript'
    ctx.body = file.code
  }
}
