import { context, SpanKind, trace, type Span } from '@opentelemetry/api'
import { listenTo } from '../diagnostics.ts'
import { formatTraceParent, readTraceParent } from './trace-parent.ts'
import { endSpan, type Tracing } from './tracing.ts'

/** A span for each call of `publish`, whose context is stored with the event. Returns functions that stop it. */
export function tracePublishes({ hub, tracer, destinations }: Tracing): (() => void)[] {
  const spans = new WeakMap<object, Span>()
  return [
    listenTo(hub, 'tracing:koa-event-stream.publish:start', message => {
      const { topics, traceparent } = message
      const given = typeof traceparent === 'string' ? readTraceParent(traceparent) : undefined
      const parent = given === undefined ? context.active() : trace.setSpanContext(context.active(), given)
      const kind = destinations.kindOf(topics)
      const attributes = {
        ...destinations.attributesOf(topics),
        'messaging.operation.name': 'publish',
        'messaging.operation.type': 'send',
      }
      const name = kind === undefined ? 'publish' : `publish ${kind}`
      const span = tracer.startSpan(name, { kind: SpanKind.PRODUCER, attributes }, parent)
      spans.set(message, span)
      // `publish` reports an invalid value to the application.
      if (traceparent === undefined || given !== undefined) {
        message.traceparent = formatTraceParent(span.spanContext()) ?? traceparent
      }
    }),
    listenTo(hub, 'tracing:koa-event-stream.publish:asyncEnd', message => {
      const span = spans.get(message)
      if (span === undefined) return
      if (typeof message.result === 'string') span.setAttribute('messaging.message.id', message.result)
      endSpan(span, message.error)
    }),
  ]
}
