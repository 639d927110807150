import type { ServerResponse } from 'node:http'
import { constants, Http2ServerResponse, type Http2Session } from 'node:http2'
import { isNativeError } from 'node:util/types'
import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { isAbortOf } from '../stream/abort.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import type { EventStream } from '../stream/event-stream.ts'
import type { StreamConnection } from '../stream/stream-host.ts'
import type { EventMap } from '../wire/event.ts'

type AnyStream = EventStream<EventMap, Identity | undefined>

/**
 * The connection to one client, observed from the start of the request: authentication and resolving stop for a client
 * that has disconnected, and an open stream ends with its connection.
 *
 * Koa is told of the application's errors only. What Node reports about a connection after the client has left, or
 * after we have closed it, is the normal end of a stream.
 */
export class ClientConnection implements StreamConnection {
  readonly #ctx: Context
  // An HTTP/2 stream loses its session once it has closed.
  readonly #session: Http2Session | undefined
  #isGone: boolean
  #stream: AnyStream | undefined
  #reported: Error | undefined

  constructor(ctx: Context) {
    this.#ctx = ctx
    this.#session = http2SessionOf(ctx.res)
    // The client may have left during outer middleware, such as one that loads a session.
    this.#isGone = hasClosed(ctx.res)
    const leave = (): void => {
      this.#leave()
    }
    ctx.res.on('close', leave)
    // Writing after the end of a response makes it emit an error.
    ctx.res.on('error', ignore)
    // If the client resets an HTTP/2 stream without an error, Node closes it only once all written data has been sent,
    // which never happens (RFC 9113, section 5.1: nothing is sent on a closed stream).
    if (ctx.req.httpVersionMajor === 2) ctx.req.once('aborted', leave)
    const report = ctx.onerror.bind(ctx)
    ctx.onerror = error => {
      // Koa also calls it at the end of every response, without an error. `isNativeError`, since an application in its
      // own realm, such as under Jest, has another `Error` than Node.
      if (!isNativeError(error)) report(error)
      else this.#report(error, report)
    }
  }

  /** Whether the client has disconnected. */
  get isGone(): boolean {
    return this.#isGone
  }

  /** Binds a stream to the connection. Ends it at once if the connection is already closed. */
  carry(stream: AnyStream): void {
    this.#stream = stream
    stream.connection = this
    if (this.#isGone) stream.abandon(this.whyEnded())
  }

  // Koa destroys the body when another one replaces it, and when the response has ended with something else, such as an
  // error page.
  whyEnded(): CloseReason {
    const { res, body } = this.#ctx
    if (res.writableFinished) return 'replaced'
    // A response that is ended after the client has left never finishes.
    if (this.#isGone || this.#ctx.req.socket.destroyed) return 'client'
    return body === this.#stream && !res.writableEnded ? 'client' : 'replaced'
  }

  failed(error: Error): void {
    // Until then Koa answers with an error page.
    if (!this.#ctx.headerSent) return
    // In a microtask: a listener that throws must not interrupt the destruction of the stream.
    queueMicrotask(() => {
      this.#ctx.onerror(error)
    })
  }

  cut(): void {
    const other: object = this.#ctx.res
    // An HTTP/2 stream destroyed without a reset looks complete to the client.
    if (other instanceof Http2ServerResponse) other.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    else this.#ctx.res.destroy()
  }

  get pendingBytes(): number {
    return this.#ctx.res.writableLength
  }

  get progress(): number {
    const { socket } = this.#ctx.res
    if (this.#session !== undefined || socket === null) return -this.pendingBytes
    return socket.bytesWritten - socket.writableLength
  }

  onceGone(listener: () => void): void {
    this.#ctx.res.once('close', listener)
  }

  #leave(): void {
    if (this.#isGone) return
    this.#isGone = true
    const stream = this.#stream
    if (stream === undefined) return
    const error = brokenBy(this.#ctx.res)
    stream.abandon(this.whyEnded())
    if (stream.closeReason === 'drain') releaseConnection(this.#ctx, this.#session)
    // Koa no longer watches this response, so report the application's errors here.
    if (error !== undefined && !this.#isOfConnection(error)) this.#ctx.onerror(error)
  }

  #report(error: Error, report: (error: Error) => void): void {
    // A failing stream destroys the response first, and Koa 3 reports only that error.
    const cause = this.#stream?.errored ?? error
    if (cause === this.#reported || this.#isOfConnection(cause) || this.#isAbort(cause)) return
    this.#reported = cause
    report(cause)
  }

  /** Whether an error only means that the connection was closed, by the client or by us. */
  #isOfConnection(error: Error): boolean {
    if (error === this.#stream?.errored || !isNativeError(error) || !('code' in error) || !this.#hasDisconnected)
      return false
    const { req, res } = this.#ctx
    if (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error === brokenBy(res) || error === req.errored) return true
    // Parser errors contain what was received, credentials included.
    return String(error.code).startsWith('HPE_')
  }

  // When the stream closes, `pipeline(source, stream, { signal: stream.signal })` destroys it with an AbortError.
  #isAbort(error: Error): boolean {
    return this.#stream !== undefined && isAbortOf(this.#stream.signal, error)
  }

  // Koa is told of a broken connection before the response closes.
  get #hasDisconnected(): boolean {
    return this.#isGone || this.#ctx.req.socket.destroyed || this.#ctx.res.destroyed
  }
}

/** Closes a connection after a drain: kept alive for the client's next request, it would delay `server.close()`. */
export function releaseConnection({ req }: Context, session: Http2Session | undefined): void {
  if (session === undefined) req.socket.end()
  // Other streams of the connection continue to their end (RFC 9113, section 6.8).
  else if (!session.destroyed && !session.closed) session.close()
}

/** The session of a response over HTTP/2. */
export function http2SessionOf(response: ServerResponse): Http2Session | undefined {
  const other: object = response
  return other instanceof Http2ServerResponse ? other.stream.session : undefined
}

/** Whether a response has closed, so that `close` will not be emitted any more. */
function hasClosed(response: ServerResponse): boolean {
  const other: object = response
  // Over HTTP/2 Koa's response has another class, without `closed`.
  return other instanceof Http2ServerResponse ? other.stream.destroyed : response.closed
}

/** The error that broke a connection. */
function brokenBy(response: ServerResponse): Error | undefined {
  const other: object = response
  const { errored } = other instanceof Http2ServerResponse ? other.stream : (response.socket ?? response.req.socket)
  return errored ?? undefined
}

function ignore(): void {}
