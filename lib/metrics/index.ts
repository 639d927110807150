export { metrics, type Metrics } from './metrics.ts'
export type { MetricsOptions } from './options.ts'
