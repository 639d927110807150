import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { isAbortOf } from '../stream/abort.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import type { Carrier, EventStream } from '../stream/event-stream.ts'
import { hasClosed } from '../stream/outlet.ts'
import type { EventMap } from '../wire/event.ts'
import { RESPONDED, stopPipeline } from './lighten.ts'

type AnyStream = EventStream<EventMap, Identity | undefined>

// How sockets and streams say that the other side has gone: with a word, or without one.
const DEPARTURES: ReadonlySet<unknown> = new Set([
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_SESSION_ERROR',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
])

// Node's parser breaks off connections on which something else than a request follows. Its error holds what was
// received, credentials and all, which must not get into logs.
const PARSER_ERROR = 'HPE_'

/**
 * The end of a response, noticed from the first moment of the request on: authentication and resolving stop for a client
 * that has gone, and a stream that lives ends with it.
 *
 * A client that leaves is how most streams end, and no error of the application: Koa is kept from reporting it as one.
 */
export class Departure implements Carrier {
  readonly #ctx: Context
  #gone: boolean
  #stream: AnyStream | undefined
  #reported: Error | undefined

  constructor(ctx: Context) {
    this.#ctx = ctx
    // Outer middleware, such as one that waits for a session, may have outlasted the client.
    this.#gone = hasClosed(ctx.res)
    const leave = (): void => {
      this.#gone = true
      this.#end()
      // Nobody else tells Koa of what a connection broke of, once its own watch has been stopped.
      const { errored } = ctx.socket
      if (errored !== null) ctx.onerror(errored)
    }
    ctx.res.on('close', leave)
    // Koa 3's pipeline would listen. What is written behind the end is an error of the response's.
    ctx.res.on('error', ignore)
    // Node closes an HTTP/2 stream that its client resets without an error only when what was written has gone out, which
    // is never (RFC 9113, section 5.1: nothing is sent on a closed stream).
    if (ctx.req.httpVersionMajor === 2) ctx.req.once('aborted', leave)
    const report = ctx.onerror.bind(ctx)
    ctx.onerror = error => {
      if (error === RESPONDED) return
      // Koa also calls it at the end of every response, with nothing to report.
      if (!(error instanceof Error)) {
        report(error)
        return
      }
      // A stream that fails takes the response along first, and Koa 3 sees only that.
      const cause = this.#stream?.errored ?? error
      if (cause === this.#reported || (cause === error && this.#caused(error)) || this.#isAbort(cause)) return
      this.#reported = cause
      report(cause)
    }
  }

  /** Whether nobody is there any more to answer to. */
  get gone(): boolean {
    return this.#gone
  }

  /** Ends a stream with the response; at once, if that is over. */
  take(stream: AnyStream): void {
    this.#stream = stream
    stream.carrier = this
    if (this.#gone) this.#end()
  }

  #end(): void {
    const stream = this.#stream
    if (stream === undefined) return
    stream.abandon(this.whyDestroyed())
    if (stream.closeReason === 'drain') this.#releaseConnection()
  }

  // Koa destroys a body when another takes its place, and when the response has ended with something else, such as an
  // error page.
  whyDestroyed(): CloseReason {
    const { res, body } = this.#ctx
    // What is ended for a client that has gone already never finishes.
    if (res.writableFinished) return 'replaced'
    return body === this.#stream || this.#hasLeft ? 'client' : 'replaced'
  }

  failed(error: Error): void {
    // Before that Koa answers with an error page.
    if (!this.#ctx.headerSent || this.#caused(error)) return
    // A listener that throws must not keep the stream from being let go of.
    queueMicrotask(() => {
      this.#ctx.onerror(error)
    })
  }

  piped(): void {
    stopPipeline(this.#ctx)
  }

  cut(): void {
    this.#ctx.res.destroy()
  }

  // `pipeline(source, stream, { signal: stream.signal })` destroys a stream that is being closed with an error that says so.
  #isAbort(error: unknown): boolean {
    return this.#stream !== undefined && isAbortOf(this.#stream.signal, error)
  }

  #caused(error: unknown): boolean {
    if (!this.#hasLeft || !(error instanceof Error) || !('code' in error)) return false
    return DEPARTURES.has(error.code) || String(error.code).startsWith(PARSER_ERROR)
  }

  // Koa hears of a broken connection before the response closes.
  get #hasLeft(): boolean {
    return this.#gone || this.#ctx.req.socket.destroyed
  }

  // The connection of a stream that was drained would be kept alive for the client's next request, and hold up
  // `server.close()`.
  #releaseConnection(): void {
    const { req } = this.#ctx
    if (req.httpVersionMajor === 1) req.socket.end()
  }
}

function ignore(): void {}
