import { context, ROOT_CONTEXT, SpanKind, type Span } from '@opentelemetry/api'
import { listenTo } from '../diagnostics.ts'
import { endSpan, type Tracing } from './tracing.ts'

/**
 * Spans for requests for streams, for replays of clients, and for catch-ups of instances. Returns functions that stop
 * it.
 */
export function traceStreams({ hub, tracer }: Tracing): (() => void)[] {
  const spans = new WeakMap<object, Span>()
  const kind = SpanKind.INTERNAL
  return [
    listenTo(hub, 'tracing:koa-event-stream.open:start', message => {
      spans.set(message, tracer.startSpan('open', { kind }, context.active()))
    }),
    listenTo(hub, 'tracing:koa-event-stream.open:asyncEnd', message => {
      const span = spans.get(message)
      if (span === undefined) return
      span.setAttribute('koa_event_stream.opened', message.stream !== undefined)
      endSpan(span, message.error)
    }),
    listenTo(hub, 'koa-event-stream.replay', ({ kind: why, events, duration }) => {
      const end = Date.now()
      const attributes = { 'koa_event_stream.kind': why, 'koa_event_stream.events': events }
      tracer.startSpan('replay', { kind, attributes, startTime: end - duration }, context.active()).end(end)
    }),
    listenTo(hub, 'tracing:koa-event-stream.catch-up:start', message => {
      const attributes = { 'koa_event_stream.topics': message.topics }
      spans.set(message, tracer.startSpan('catch up', { kind, attributes }, ROOT_CONTEXT))
    }),
    listenTo(hub, 'tracing:koa-event-stream.catch-up:asyncEnd', message => {
      const span = spans.get(message)
      if (span !== undefined) endSpan(span, message.error)
    }),
  ]
}
