import { AsyncLocalStorage } from 'node:async_hooks'
import { context, ROOT_CONTEXT, trace, type Context, type ContextManager } from '@opentelemetry/api'
import { KoaInstrumentation } from '@opentelemetry/instrumentation-koa'
import { BasicTracerProvider, type ReadableSpan, type Span, type SpanProcessor } from '@opentelemetry/sdk-trace-base'
import type Koa from 'koa'
import type { Middleware } from 'koa'

/** Carries the current span along, as the SDK for Node does. */
class AsyncContext implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => fn.call(thisArg, ...args))
  }

  bind<T>(_: Context, target: T): T {
    return target
  }

  enable(): this {
    return this
  }

  disable(): this {
    this.#storage.disable()
    return this
  }
}

context.setGlobalContextManager(new AsyncContext())

/** Keeps the names of spans that are open, and of those that have ended. */
export class SpanLedger implements SpanProcessor {
  readonly open = new Map<string, string>()
  readonly ended: string[] = []

  onStart(span: Span): void {
    this.open.set(span.spanContext().spanId, span.name)
  }

  onEnd(span: ReadableSpan): void {
    this.open.delete(span.spanContext().spanId)
    this.ended.push(span.name)
  }

  forceFlush(): Promise<void> {
    return Promise.resolve()
  }

  shutdown(): Promise<void> {
    return Promise.resolve()
  }
}

/** Applies the patch itself, to one class: what finds Koa while modules load cannot be told to leave other tests alone. */
class OneKoaInstrumentation extends KoaInstrumentation {
  patch(version: object): void {
    this.init().patch?.(version)
  }
}

/** A Koa whose middleware is traced, and middleware that opens a request's span, as HTTP's instrumentation does. */
export function traced(version: typeof Koa, ledger: SpanLedger): { app: Koa; request: Middleware } {
  const provider = new BasicTracerProvider({ spanProcessors: [ledger] })
  const instrumentation = new OneKoaInstrumentation({ enabled: false })
  instrumentation.setTracerProvider(provider)
  class TracedKoa extends version {}
  instrumentation.patch(TracedKoa)
  const request: Middleware = (ctx, next) => {
    const span = provider.getTracer('http').startSpan('request')
    ctx.res.once('close', () => span.end())
    return context.with(trace.setSpan(context.active(), span), next)
  }
  return { app: new TracedKoa(), request }
}
