import Koa3 from 'koa'
import Koa2 from 'koa-2'

/** Every version of Koa that the package supports, by the name for test titles. */
export const koaVersions = [
  ['Koa 2', Koa2],
  ['Koa 3', Koa3],
] as const
