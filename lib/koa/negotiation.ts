import type { Context } from 'koa'

// A media range may name the parameter that ours has (RFC 9110, section 12.5.1); Koa compares as a whole.
const OFFERED = ['text/event-stream', 'text/event-stream; charset=utf-8']

/**
 * Whether the client takes an event stream. What an EventSource sends needs no negotiation, whose parts Koa would keep for
 * as long as the stream lives.
 */
export function acceptsEventStream(ctx: Context): boolean {
  const accept = ctx.get('accept')
  return accept === '' || accept === 'text/event-stream' || ctx.accepts(OFFERED) !== false
}

/** Whether the client takes gzip. What browsers send needs no negotiation here either. */
export function acceptsGzip(ctx: Context): boolean {
  const accept = ctx.get('accept-encoding')
  if (/[;*]/.test(accept)) return ctx.acceptsEncodings('gzip', 'identity') === 'gzip'
  return accept.split(',').some(coding => coding.trim().toLowerCase() === 'gzip')
}

/**
 * Whether the request waits behind another one. Node hands out the socket to one response at a time; a client that
 * pipelines requests has the others wait behind a stream that may never end, and Node does not tell them when the client
 * leaves.
 */
export function isPipelined(ctx: Context): boolean {
  return ctx.req.httpVersionMajor === 1 && ctx.res.socket === null
}
