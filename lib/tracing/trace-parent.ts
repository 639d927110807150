import { isSpanContextValid, type SpanContext } from '@opentelemetry/api'

// W3C Trace Context, section 3.2: the hub has checked the form.
const FORM = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/

/** A span's context as a `traceparent`; `undefined` without a trace. */
export function formatTraceParent(context: SpanContext): string | undefined {
  if (!isSpanContextValid(context)) return undefined
  const flags = context.traceFlags.toString(16).padStart(2, '0')
  return `00-${context.traceId}-${context.spanId}-${flags}`
}

/** Parses a `traceparent`; `undefined` if it is invalid. */
export function readTraceParent(text: string | undefined): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] = FORM.exec(text ?? '') ?? []
  const context: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
  return isSpanContextValid(context) ? context : undefined
}
