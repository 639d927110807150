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
  /** Names the kind of a topic: `'order:17'` → `'order'`, which is what spans are called by. Default: none. */
  topic?: (topic: string) => string
  /** Whether topics themselves are in spans, too. Default `false`: they may say more than traces are to hold. */
  topics?: boolean
}

export interface Traces {
  /** Traces nothing any more. */
  close(): void
}

/**
 * Traces a hub with OpenTelemetry, after its semantic conventions for messaging:
 *
 * - `publish <kind>` (producer): a call of `hub.publish()`. It is a child of the `traceparent` that was given, or of the span
 *   that is active; its context travels with the event to all instances.
 * - `deliver` (consumer): events that were written to streams, linked to the spans that published them. It is as long as the
 *   oldest of them was on its way from the log. There is none for events that were published without a trace.
 * - `open`, `replay`, `catch up` (internal): a request for a stream, a client that was brought up to date from history, and
 *   an instance that had to ask the log what it had missed.
 *
 * @throws {TypeError} for a wrong option
 */
export function traces<Events extends object>(hub: Hub<Events>, options: TracesOptions = {}): Traces {
  knownKeys('traces', options, ['tracerProvider', 'topic', 'topics'])
  const provider: unknown = options.tracerProvider ?? trace.getTracerProvider()
  if (!isProvider(provider)) throw invalid('tracerProvider', 'a TracerProvider of OpenTelemetry', provider)
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
