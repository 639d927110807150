import type { IncomingMessage } from 'node:http'
import type { Context } from 'koa'
import type { Subscriber } from '../hub/subscriber.ts'
import { encode } from './encoding.ts'
import { setStreamHeaders } from './response.ts'
import { dropResponseListeners } from './response-listeners.ts'

/**
 * Sets the stream as the body and leaves the rest to Koa: outer middleware continues at once, so that koa-session can
 * still set its cookie, and headers and first bytes are sent together when Koa responds.
 */
export function handOff(ctx: Context, subscriber: Subscriber): void {
  const { stream, policy } = subscriber
  setStreamHeaders(ctx)
  encode(ctx, subscriber)
  ctx.body = stream
  readRest(ctx.req)
  dropResponseListeners(ctx)
  if (ctx.req.httpVersionMajor !== 1) return
  // TCP keep-alive probes are sent in the silence between heartbeats, and detect a client that vanished without a FIN.
  // Once a heartbeat or an event is unacknowledged, the kernel retransmits instead of probing: on Linux it gives up
  // after a quarter of an hour (net.ipv4.tcp_retries2), which Node cannot shorten for one socket.
  ctx.req.socket.setKeepAlive(true, (policy.heartbeat?.interval ?? policy.stall) / 2)
}

// Node pauses a socket whose request is not read, and then does not notice a disconnect; and it cuts the stream after
// `server.requestTimeout`, since it considers the request still incomplete.
function readRest(request: IncomingMessage): void {
  // Most requests have no body.
  if (request.complete && request.readableLength === 0) return
  if (!request.readableEnded && request.readableFlowing === null) request.resume()
}
