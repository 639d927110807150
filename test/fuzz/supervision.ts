import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { inspect } from 'node:util'
import type Koa from 'koa'
import type { Context } from 'koa'
import { EventStreamError, type Hub } from 'koa-event-stream'
import { isPrank } from './prank.ts'

/** One request at the server, and the statuses over 500 that were told of with a reason. */
interface Exchange {
  readonly line: string
  readonly explained: Set<number>
}

type Listener = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => void

const PROCESS_EVENTS = ['warning', 'unhandledRejection', 'uncaughtException'] as const

/** Watches an application, and keeps all that must not happen. */
export class Supervision {
  readonly failures = new Set<string>()
  /** How many requests the application answered with each status, seen by a client or not. */
  readonly statuses = new Map<number, number>()
  readonly listener: Listener
  readonly #exchanges = new AsyncLocalStorage<Exchange>()
  readonly #stop: () => void

  constructor(app: Koa, hub: Hub) {
    app.on('error', (error: unknown, ctx: Context | undefined) => this.#onError(error, ctx))
    // Without a listener by now, Koa would print errors.
    const handle = app.callback()
    this.listener = (request, response) => {
      const exchange = { line: `${request.method ?? ''} ${request.url ?? ''}`, explained: new Set<number>() }
      void this.#exchanges.run(exchange, async () => {
        await handle(request, response)
        this.#judge(exchange, response.statusCode)
      })
    }
    hub.on('refuse', ({ status, error }) => {
      if (status === 503 || isOnPurpose(error)) this.#explain(status)
    })
    hub.on('fault', ({ during, error }) => {
      // A resolver may answer nothing and write nothing here: the warning of that is right.
      if (!isOnPurpose(error) && during !== 'subscribe') this.fail(`a fault during ${during}`, error)
    })
    const watchers = PROCESS_EVENTS.map(name => {
      const watcher = (error: unknown) => this.fail(name, error)
      process.on(name, watcher)
      return () => process.off(name, watcher)
    })
    this.#stop = () => {
      for (const stop of watchers) stop()
    }
  }

  fail(what: string, detail: unknown): void {
    this.failures.add(`${what}: ${typeof detail === 'string' ? detail : inspect(detail)}`)
  }

  /** Stops watching the process. */
  stop(): void {
    this.#stop()
  }

  #onError(error: unknown, ctx: Context | undefined): void {
    const { expose, status = 500 } = error as { expose?: boolean; status?: number }
    if (expose === true || (ctx?.state.isStream !== true && hasLeft(error))) return
    if (!isOnPurpose(error)) this.fail(`an error of the application in ${this.#line}`, error)
    else this.#explain(status)
  }

  #explain(status: number): void {
    this.#exchanges.getStore()?.explained.add(status)
  }

  #judge({ line, explained }: Exchange, status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    if (status >= 500 && !explained.has(status)) this.fail(`${line} was answered`, String(status))
  }

  get #line(): string {
    return this.#exchanges.getStore()?.line ?? 'no request'
  }
}

// Pranks, and the deadlines that a busy machine may miss.
function isOnPurpose(error: unknown): boolean {
  if (isPrank(error)) return true
  return (
    error instanceof EventStreamError && (error.code === 'ERR_SESSION_STORE' || error.code === 'ERR_AUTH_UNAVAILABLE')
  )
}

// Koa tells of clients that leave before the stream's middleware is reached, or while they are answered something else.
function hasLeft(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(ECONNRESET|EPIPE|HPE_.*)$/.test(String(error.code))
}
