import { trace, type TracerProvider } from '@opentelemetry/api'
import type { Hub } from '../hub/hub.ts'
import { flag, fn, invalid, knownKeys } from '../options.ts'
import { Destinations } from './destinations.ts'
import { traceDeliveries } from './deliveries.ts'
import { tracePublishes } from './publishes.ts'
import { traceStreams } from './streams.ts'
import type { Tracing } from './tracing.ts'

export interface TracesOptions {
  /** Default: the global one. */
  tracerProvider?: TracerProvider
  /** Returns the kind of a topic: `'order:17'` → `'order'`, used in span names. Default: none. */
  topic?: (topic: string) => string
  /**
   * Whether spans contain the topics themselves. Default `false`: topics may contain data that must not be in traces.
   */
  topics?: boolean
}

export interface Traces {
  /** Stops tracing. */
  close(): void
}

/**
 * Traces a hub with OpenTelemetry, by its semantic conventions for messaging:
 *
 * - `publish <kind>` (producer): a call of `hub.publish()`. A child of the given `traceparent`, or of the active span;
 *   its context is stored with the event and reaches all instances.
 * - `deliver <kind>` (consumer), or `deliver` for several kinds: events written to streams, linked to the spans that
 *   published them. It lasts as long as the oldest of them took from the log. Events published without a trace have none.
 * - `open`, `replay`, `catch up` (internal): a request for a stream, a client's replay from history, and an instance
 *   that read missed events from the log.
 *
 * @throws {TypeError} for an invalid option
 */
export function traces<Events extends object>(hub: Hub<Events>, options: TracesOptions = {}): Traces {
  knownKeys('traces', options, ['tracerProvider', 'topic', 'topics'])
  const provider: unknown = options.tracerProvider ?? trace.getTracerProvider()
  if (!isProvider(provider)) throw invalid('tracerProvider', 'an OpenTelemetry TracerProvider', provider)
  const topic = options.topic === undefined ? undefined : fn('topic', options.topic)
  const destinations = new Destinations(topic, flag('topics', options.topics, false))
  const tracing: Tracing = { hub, tracer: provider.getTracer('koa-event-stream'), destinations }
  const stops = [...tracePublishes(tracing), ...traceDeliveries(tracing), ...traceStreams(tracing)]
  return {
    close: () => {
      for (const stop of stops) stop()
    },
  }
}

function isProvider(value: unknown): value is TracerProvider {
  return typeof value === 'object' && value !== null && 'getTracer' in value
}
