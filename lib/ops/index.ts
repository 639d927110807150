/**
 * A page for operators: what the streams of all instances do, and what may be done about it.
 *
 * @module koa-event-stream/ops
 */
export type { OpsAction, OpsOptions } from './options.ts'
export { opsRoutes } from './routes.ts'
