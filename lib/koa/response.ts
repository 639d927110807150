import type { Context, Next } from 'koa'
import { hasConcealed } from './query-parameter.ts'
import { encodeGoaway } from '../wire/frame.ts'

const HEADERS = Object.freeze({
  'Content-Type': 'text/event-stream; charset=utf-8',
  // `no-transform` stops compressors from delaying events.
  'Cache-Control': 'no-cache, no-transform',
  // Without this nginx buffers the response to its end.
  'X-Accel-Buffering': 'no',
  'X-Content-Type-Options': 'nosniff',
})

/** Sets the status and headers of an event stream. */
export function setStreamHeaders(ctx: Context): void {
  ctx.status = 200
  ctx.set(HEADERS)
  // Required by RFC 6750, section 2.3, if the URL had credentials.
  if (hasConcealed(ctx)) ctx.set('Cache-Control', 'no-store, no-transform')
}

/** Marks the response as depending on `Accept-Encoding`, and as gzip if it is compressed. */
export function setCompression(ctx: Context, isCompressed: boolean): void {
  ctx.vary('Accept-Encoding')
  if (isCompressed) ctx.set('Content-Encoding', 'gzip')
}

const UNKEPT = Object.freeze({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' })

/**
 * Prevents caching of the response to a URL with credentials, and `Referer` headers with it (RFC 6750, section 2.3).
 *
 * @throws what `next` throws
 */
export async function keepFromCaches(ctx: Context, next: Next): Promise<void> {
  ctx.set(UNKEPT)
  try {
    await next()
  } catch (error) {
    // Koa drops all headers but those of the error.
    addHeaders(error, UNKEPT)
    throw error
  }
}

function addHeaders(error: unknown, added: Readonly<Record<string, string>>): void {
  if (typeof error !== 'object' || error === null) return
  try {
    const headers: unknown = Reflect.get(error, 'headers')
    Reflect.set(error, 'headers', { ...(typeof headers === 'object' ? headers : {}), ...added })
  } catch {
    // The error's properties cannot be read or set: leave it as it is.
  }
}

/** The statuses of refusals and their fixed texts, which contain nothing of the request or of an error. */
export const REFUSAL_TEXT = Object.freeze({
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable: this is an event stream, open it with an EventSource or with Accept: text/event-stream',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
})

export type RefusalStatus = keyof typeof REFUSAL_TEXT

/**
 * Answers a refusal as ordinary HTTP. Does not throw, so that headers of outer middleware, such as CORS, stay on the
 * response and the page can read the status.
 */
export function setRefusal(ctx: Context, status: RefusalStatus, challenges: readonly string[] = []): void {
  ctx.status = status
  ctx.type = 'text/plain'
  ctx.set('Cache-Control', 'no-store')
  if (challenges.length > 0) ctx.set('WWW-Authenticate', [...challenges])
  ctx.body = REFUSAL_TEXT[status]
}

/** Refuses a method that is not allowed (RFC 9110, section 15.5.6). */
export function setNotAllowed(ctx: Context, allowed: string): void {
  setRefusal(ctx, 405)
  ctx.set('Allow', allowed)
}

/** A ticket as sent to the client; `expiresIn` is in seconds. */
export interface IssuedTicket {
  readonly ticket: string
  readonly expiresIn: number
}

/** Answers with a ticket, which must not be cached. */
export function setTicket(ctx: Context, { ticket, expiresIn }: IssuedTicket): void {
  ctx.status = 200
  ctx.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer', 'X-Content-Type-Options': 'nosniff' })
  ctx.body = { ticket, expiresIn }
}

/** Stops an EventSource from reconnecting, by 204 (WHATWG HTML, section 9.2.3). */
export function setNothing(ctx: Context): void {
  ctx.set('Cache-Control', 'no-store')
  ctx.status = 204
}

/**
 * Turns an EventSource away for at least `delay` milliseconds: after any status other than 200 it would never
 * reconnect.
 */
export function setPostponed(
  ctx: Context,
  reason: 'overload' | 'drain' | 'server' | 'superseded',
  delay: number,
  isVisible: boolean,
): void {
  setStreamHeaders(ctx)
  // Clients that use another method than GET would take `retry` as permission to repeat the request.
  ctx.body = encodeGoaway({ reason, retry: ctx.method === 'GET' ? delay : undefined, isVisible }).toString()
}

/** Turns a client away that understands `Retry-After`. */
export function setOverloaded(ctx: Context, status: 429 | 503, delay: number): void {
  setRefusal(ctx, status)
  setRetryAfter(ctx, delay)
}

/** Sets `Retry-After` from milliseconds, in whole seconds (RFC 9110, section 10.2.3). */
export function setRetryAfter(ctx: Context, delay: number): void {
  ctx.set('Retry-After', String(Math.ceil(delay / 1_000)))
}

/** The status with which Koa answers an error: `ctx.throw(403)` sets its own. */
export function statusOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('status' in error)) return 500
  return typeof error.status === 'number' ? error.status : 500
}
