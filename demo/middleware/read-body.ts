import { bodyParser } from '@koa/bodyparser'
import type { Middleware } from 'koa'

/** Reads small bodies of these kinds into `ctx.request.body`; others are refused, without a word about why. */
export function readBody(...kinds: ('form' | 'json')[]): Middleware {
  return bodyParser({
    enableTypes: kinds,
    formLimit: '16kb',
    jsonLimit: '16kb',
    onError: (error, ctx) => {
      const tooLarge = 'status' in error && error.status === 413
      ctx.throw(tooLarge ? 413 : 400, tooLarge ? 'That is too much.' : 'The request could not be read.')
    },
  })
}
