import { SpanStatusCode, type Span, type Tracer } from '@opentelemetry/api'
import type { Destinations } from './destinations.ts'

/** Shared by the parts of the adapter. */
export interface Tracing {
  readonly hub: object
  readonly tracer: Tracer
  readonly destinations: Destinations
}

/** Ends a span, with the error if there is one. Error messages are left out, as they may contain secrets. */
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
