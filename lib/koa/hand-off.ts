import type { Context } from 'koa'
import type { Subscriber } from '../hub/subscriber.ts'
import { setStreamHeaders } from './response.ts'

/**
 * Makes the stream the body and leaves the rest to Koa: outer middleware goes on at once, so that koa-session can still
 * set its cookie, and headers and first bytes go out together when Koa responds.
 */
export function handOff(ctx: Context, { stream, policy }: Subscriber): void {
  setStreamHeaders(ctx)
  ctx.body = stream
  ignoreDeparture(ctx, stream)
  if (ctx.req.httpVersionMajor !== 1) return
  // Probes go out in the silence between heartbeats and find a client that vanished without a word: while a heartbeat
  // is on its way the kernel would retransmit it for a quarter of an hour instead.
  ctx.req.socket.setKeepAlive(true, (policy.heartbeat?.interval ?? policy.stall) / 2)
}

/**
 * Lets go of the connection of a stream that was drained. It would be kept alive for the client's next request, and
 * hold up `server.close()`.
 */
export function releaseConnection(ctx: Context): void {
  if ('stream' in ctx.req) return
  ctx.req.socket.end()
}

const DEPARTURES: ReadonlySet<unknown> = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'ECONNABORTED', 'EPIPE'])

// A client that leaves is how most streams end. Koa 3 would report each as an error of the application.
function ignoreDeparture(ctx: Context, stream: Subscriber['stream']): void {
  const report = ctx.onerror.bind(ctx)
  ctx.onerror = error => {
    const departed = stream.closeReason !== undefined || ctx.req.socket.destroyed
    if (departed && DEPARTURES.has(codeOf(error))) return
    report(error)
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
