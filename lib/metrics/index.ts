/**
 * Metrics of a hub, with prom-client.
 *
 * @module koa-event-stream/prometheus
 */
export { metrics, type Metrics } from './metrics.ts'
export type { MetricsOptions } from './options.ts'
