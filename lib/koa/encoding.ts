import type { Context } from 'koa'
import type { Subscriber } from '../hub/subscriber.ts'
import { acceptsGzip } from './negotiation.ts'
import { setCompression } from './response.ts'

// Compressed streams to which Koa has not responded yet.
const compressed = new WeakMap<Context, Subscriber>()

/** Compresses the stream if its route and its client allow it, and sets the headers for it. */
export function encode(ctx: Context, subscriber: Subscriber): void {
  if (subscriber.policy.cohorts === undefined) return
  const isCompressed = acceptsGzip(ctx) && subscriber.compress()
  setCompression(ctx, isCompressed)
  if (isCompressed) compressed.set(ctx, subscriber)
}

/**
 * Called right before Koa responds. If other middleware has replaced the stream by a body that does not read it, the
 * response is not gzip: clients could not decode it.
 */
export function settleEncoding(ctx: Context): void {
  const subscriber = compressed.get(ctx)
  if (subscriber === undefined) return
  compressed.delete(ctx)
  const { stream } = subscriber
  if (ctx.body === stream || stream.isPiped) return
  // The new body may still come to read the stream.
  subscriber.leavePlain()
  ctx.remove('Content-Encoding')
}
