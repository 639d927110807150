import { SpanStatusCode, type Span, type Tracer } from '@opentelemetry/api'
import type { Destinations } from './destinations.ts'

/** What the parts of the adapter share. */
export interface Tracing {
  readonly hub: object
  readonly tracer: Tracer
  readonly destinations: Destinations
}

/** Ends a span; with what was thrown, if something was. Messages of errors may hold what no trace is to. */
export function endSpan(span: Span, error: unknown): void {
  if (error !== undefined) {
    span.setAttribute('error.type', typeOf(error))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER'
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : error.name
}
