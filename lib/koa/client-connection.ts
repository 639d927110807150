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
 * The connection to one client, watched from the first moment of the request on: authentication and resolving stop for a
 * client that has disconnected, and a stream that lives ends with its connection.
 *
 * Koa is told of errors of the application only. Whatever Node says of a connection once the client has left, or once we
 * have ended it, is how streams end.
 */
export class ClientConnection implements StreamConnection {
  readonly #ctx: Context
  // A stream of HTTP/2 does not know its connection any more once it has closed.
  readonly #session: Http2Session | undefined
  #isGone: boolean
  #stream: AnyStream | undefined
  #reported: Error | undefined

  constructor(ctx: Context) {
    this.#ctx = ctx
    this.#session = http2SessionOf(ctx.res)
    // Outer middleware, such as one that waits for a session, may have outlasted the client.
    this.#isGone = hasClosed(ctx.res)
    const leave = (): void => {
      this.#leave()
    }
    ctx.res.on('close', leave)
    // What is written behind the end of a response is an error of the response's.
    ctx.res.on('error', ignore)
    // Node closes an HTTP/2 stream that its client resets without an error only when what was written has gone out, which
    // is never (RFC 9113, section 5.1: nothing is sent on a closed stream).
    if (ctx.req.httpVersionMajor === 2) ctx.req.once('aborted', leave)
    const report = ctx.onerror.bind(ctx)
    ctx.onerror = error => {
      // Koa also calls it at the end of every response, with nothing to report.
      // Where an application runs in a context of its own, as Jest has one, Node's errors are not of its `Error`.
      if (!isNativeError(error)) report(error)
      else this.#report(error, report)
    }
  }

  /** Whether nobody is there any more to answer to. */
  get isGone(): boolean {
    return this.#isGone
  }

  /** Ends a stream with the connection; at once, if that is over. */
  carry(stream: AnyStream): void {
    this.#stream = stream
    stream.connection = this
    if (this.#isGone) stream.abandon(this.whyEnded())
  }

  // Koa destroys a body when another takes its place, and when the response has ended with something else, such as an
  // error page.
  whyEnded(): CloseReason {
    const { res, body } = this.#ctx
    if (res.writableFinished) return 'replaced'
    // What is ended for a client that has gone already never finishes.
    if (this.#isGone || this.#ctx.req.socket.destroyed) return 'client'
    return body === this.#stream && !res.writableEnded ? 'client' : 'replaced'
  }

  failed(error: Error): void {
    // Before that Koa answers with an error page.
    if (!this.#ctx.headerSent) return
    // A listener that throws must not keep the stream from being let go of.
    queueMicrotask(() => {
      this.#ctx.onerror(error)
    })
  }

  cut(): void {
    const other: object = this.#ctx.res
    // To the client a stream of HTTP/2 that is destroyed without a reset looks complete.
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
    // Koa no longer watches the response, so that errors of the application are told from here.
    if (error !== undefined && !this.#isOfConnection(error)) this.#ctx.onerror(error)
  }

  #report(error: Error, report: (error: Error) => void): void {
    // A stream that fails takes the response along first, and Koa 3 sees only that.
    const cause = this.#stream?.errored ?? error
    if (cause === this.#reported || this.#isOfConnection(cause) || this.#isAbort(cause)) return
    this.#reported = cause
    report(cause)
  }

  /** Whether an error is what Node says of a connection that has been ended: by the client, or by us. */
  #isOfConnection(error: Error): boolean {
    if (error === this.#stream?.errored || !isNativeError(error) || !('code' in error) || !this.#hasDisconnected)
      return false
    const { req, res } = this.#ctx
    if (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error === brokenBy(res) || error === req.errored) return true
    // What Node's parser says of a client's request holds what was received, credentials and all.
    return String(error.code).startsWith('HPE_')
  }

  // `pipeline(source, stream, { signal: stream.signal })` destroys a stream that is being closed with an error that says so.
  #isAbort(error: Error): boolean {
    return this.#stream !== undefined && isAbortOf(this.#stream.signal, error)
  }

  // Koa hears of a broken connection before the response closes.
  get #hasDisconnected(): boolean {
    return this.#isGone || this.#ctx.req.socket.destroyed || this.#ctx.res.destroyed
  }
}

/** Lets go of a connection after a drain: kept alive for the client's next request, it would hold up `server.close()`. */
export function releaseConnection({ req }: Context, session: Http2Session | undefined): void {
  if (session === undefined) req.socket.end()
  // Other streams of the connection go on to their end (RFC 9113, section 6.8).
  else if (!session.destroyed && !session.closed) session.close()
}

/** The session of a response over HTTP/2. */
export function http2SessionOf(response: ServerResponse): Http2Session | undefined {
  const other: object = response
  return other instanceof Http2ServerResponse ? other.stream.session : undefined
}

/** Whether a response is over, and no `close` will tell of it any more. */
function hasClosed(response: ServerResponse): boolean {
  const other: object = response
  // Over HTTP/2 Koa's response is another class, which knows nothing of `closed`.
  return other instanceof Http2ServerResponse ? other.stream.destroyed : response.closed
}

/** The error that a connection broke of. */
function brokenBy(response: ServerResponse): Error | undefined {
  const other: object = response
  const { errored } = other instanceof Http2ServerResponse ? other.stream : (response.socket ?? response.req.socket)
  return errored ?? undefined
}

function ignore(): void {}
