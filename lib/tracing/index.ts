/**
 * Spans of a hub, with OpenTelemetry.
 *
 * @module koa-event-stream/opentelemetry
 */
export { traces, type Traces, type TracesOptions } from './traces.ts'
