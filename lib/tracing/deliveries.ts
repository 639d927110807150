import { ROOT_CONTEXT, SpanKind, type Link } from '@opentelemetry/api'
import { listenTo, type Delivery } from '../diagnostics.ts'
import { readTraceParent } from './trace-parent.ts'
import type { Tracing } from './tracing.ts'

/**
 * A span for each batch of events written to streams, linked to the spans that published them. Returns functions that
 * stop it.
 */
export function traceDeliveries({ hub, tracer, destinations }: Tracing): (() => void)[] {
  return [
    listenTo(hub, 'koa-event-stream.delivery', ({ deliveries, isLive, now }) => {
      const links = deliveries.flatMap(linkTo)
      const [first] = deliveries
      if (links.length === 0 || first === undefined) return
      const lag = isLive ? Math.max(0, now - Math.min(...deliveries.map(({ event }) => event.at))) : 0
      const kind = destinations.kindOf(first.topics)
      const isOneKind = deliveries.every(({ topics }) => destinations.kindOf(topics) === kind)
      const attributes = {
        ...(isOneKind ? destinations.attributesOf(first.topics) : destinations.attributesOf(undefined)),
        'messaging.operation.name': 'deliver',
        'messaging.operation.type': 'process',
        'messaging.batch.message_count': deliveries.length,
        'koa_event_stream.deliveries': deliveries.reduce((sum, { streams }) => sum + streams, 0),
        'koa_event_stream.live': isLive,
      }
      const name = isOneKind && kind !== undefined ? `deliver ${kind}` : 'deliver'
      // By this machine's clock, as all spans; the duration is by the log's clock.
      const end = Date.now()
      const options = { kind: SpanKind.CONSUMER, attributes, links, startTime: end - lag }
      tracer.startSpan(name, options, ROOT_CONTEXT).end(end)
    }),
  ]
}

function linkTo({ event, streams }: Delivery): Link[] {
  const context = readTraceParent(event.headers?.traceparent)
  return context === undefined ? [] : [{ context, attributes: { 'koa_event_stream.streams': streams } }]
}
