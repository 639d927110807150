import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import type { Subscriber } from '../hub/subscriber.ts'
import { acceptsGzip } from './negotiation.ts'
import { setCompression, setStreamHeaders } from './response.ts'
import { dropResponseListeners } from './response-listeners.ts'

/**
 * Makes the stream the body and leaves the rest to Koa: outer middleware goes on at once, so that koa-session can still
 * set its cookie, and headers and first bytes go out together when Koa responds.
 */
export function handOff(ctx: Context, subscriber: Subscriber): void {
  const { stream, policy } = subscriber
  setStreamHeaders(ctx)
  if (policy.cohorts !== undefined) setCompression(ctx, acceptsGzip(ctx) && subscriber.compress())
  ctx.body = stream
  readRest(ctx.req)
  dropResponseListeners(ctx)
  if (ctx.req.httpVersionMajor !== 1) return
  // Probes go out in the silence between heartbeats, and find a client that vanished without a word early in it. Once a
  // heartbeat or an event is on its way unanswered, the kernel probes no more but retransmits: on Linux it gives up after
  // a quarter of an hour (net.ipv4.tcp_retries2), which Node cannot shorten for one socket.
  ctx.req.socket.setKeepAlive(true, (policy.heartbeat?.interval ?? policy.stall) / 2)
}

// Node pauses a socket whose request is not read, and does not see then that the client leaves; and it cuts the stream when
// `server.requestTimeout` is over, since to Node the request is still being received.
function readRest(request: IncomingMessage): void {
  // Most requests have no body.
  if (request.complete && request.readableLength === 0) return
  if (!request.readableEnded && request.readableFlowing === null) request.resume()
}
