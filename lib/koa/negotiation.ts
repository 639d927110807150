import type { Context } from 'koa'

// A media range may include our `charset` parameter (RFC 9110, section 12.5.1), and Koa compares it as a whole.
const OFFERED = ['text/event-stream', 'text/event-stream; charset=utf-8']

/**
 * Whether the client accepts an event stream. The header of an EventSource is compared directly: Koa would keep the
 * parsed header for as long as the stream is open.
 */
export function acceptsEventStream(ctx: Context): boolean {
  const accept = ctx.get('accept')
  return accept === '' || accept === 'text/event-stream' || ctx.accepts(OFFERED) !== false
}

/** Whether the client accepts gzip. The header of browsers is compared directly here, too. */
export function acceptsGzip(ctx: Context): boolean {
  const accept = ctx.get('accept-encoding')
  if (/[;*]/.test(accept)) return ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
  return accept.split(',').some(coding => coding.trim().toLowerCase() === 'gzip')
}

/**
 * Whether the request is pipelined behind another one. Node assigns the socket to one response at a time: pipelined
 * requests wait behind a stream that may never end, and Node does not tell them when the client disconnects.
 */
export function isPipelined(ctx: Context): boolean {
  return ctx.req.httpVersionMajor === 1 && ctx.res.socket === null
}
