export type { OpsAction, OpsOptions } from './options.ts'
export { opsRoutes } from './routes.ts'
