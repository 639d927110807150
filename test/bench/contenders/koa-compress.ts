import { constants } from 'node:zlib'
import compress from 'koa-compress'
import type { Application, ApplicationOptions } from '../server/application.ts'
import { create as passThrough } from './koa-pass-through.ts'

/** A PassThrough as the body, and koa-compress told to compress it all the same, each event as it comes. */
export function create(options: ApplicationOptions): Application {
  return passThrough(options, app =>
    app.use(compress({ filter: () => true, threshold: 0, br: false, gzip: { flush: constants.Z_SYNC_FLUSH } })),
  )
}
