import type { Context, Next } from 'koa'
import { hasConcealed } from './query-parameter.ts'
import { encodeGoaway } from '../wire/frame.ts'

const HEADERS = Object.freeze({
  'Content-Type': 'text/event-stream; charset=utf-8',
  // `no-transform` keeps compressors from holding events back.
  'Cache-Control': 'no-cache, no-transform',
  // nginx passes nothing on before the end without this.
  'X-Accel-Buffering': 'no',
  'X-Content-Type-Options': 'nosniff',
})

/** Puts the status and the headers of an event stream on the response. */
export function setStreamHeaders(ctx: Context): void {
  ctx.status = 200
  ctx.set(HEADERS)
  // RFC 6750, section 2.3, asks for no less where the URL carried credentials.
  if (hasConcealed(ctx)) ctx.set('Cache-Control', 'no-store, no-transform')
}

/** Says that the body depends on what the client can read, and whether it is gzip. */
export function setCompression(ctx: Context, isCompressed: boolean): void {
  ctx.vary('Accept-Encoding')
  if (isCompressed) ctx.set('Content-Encoding', 'gzip')
}

const UNKEPT = Object.freeze({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' })

/**
 * Has no cache keep, and no page send on, what is answered to a URL that carried credentials: RFC 6750, section 2.3, asks
 * for no less.
 *
 * @throws what `next` throws
 */
export async function keepFromCaches(ctx: Context, next: Next): Promise<void> {
  ctx.set(UNKEPT)
  try {
    await next()
  } catch (error) {
    // Koa answers an error with no other headers than its own.
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
    // It lets nobody read or change it, and goes on as it is.
  }
}

/** The statuses of refusals and their fixed texts: nothing of the request or of an error shows in them. */
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
 * Answers a refusal as ordinary HTTP. It does not throw, so that headers of outer middleware, such as those of CORS,
 * stay on the response and the page can read the status.
 */
export function setRefusal(ctx: Context, status: RefusalStatus, challenges: readonly string[] = []): void {
  ctx.status = status
  ctx.type = 'text/plain'
  ctx.set('Cache-Control', 'no-store')
  if (challenges.length > 0) ctx.set('WWW-Authenticate', [...challenges])
  ctx.body = REFUSAL_TEXT[status]
}

/** Refuses a method that is not the one (RFC 9110, section 15.5.6). */
export function setNotAllowed(ctx: Context, allowed: string): void {
  setRefusal(ctx, 405)
  ctx.set('Allow', allowed)
}

/** A ticket as its client gets it; `expiresIn` is in seconds. */
export interface IssuedTicket {
  readonly ticket: string
  readonly expiresIn: number
}

/** Answers a ticket, which nobody else may keep. */
export function setTicket(ctx: Context, { ticket, expiresIn }: IssuedTicket): void {
  ctx.status = 200
  ctx.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer', 'X-Content-Type-Options': 'nosniff' })
  ctx.body = { ticket, expiresIn }
}

/** Ends an EventSource for good: 204 is the status that tells it so (WHATWG HTML, section 9.2.3). */
export function setNothing(ctx: Context): void {
  ctx.set('Cache-Control', 'no-store')
  ctx.status = 204
}

/**
 * Sends an EventSource away for a while, at least for `wait` milliseconds: with any other status than 200 it would never
 * come back.
 */
export function setPostponed(
  ctx: Context,
  reason: 'overload' | 'drain' | 'server' | 'superseded',
  delay: number,
  isVisible: boolean,
): void {
  setStreamHeaders(ctx)
  // Clients that send anything but a GET would take `retry` for leave to repeat it.
  ctx.body = encodeGoaway({ reason, retry: ctx.method === 'GET' ? delay : undefined, isVisible }).toString()
}

/** Sends a client away for a while that understands `Retry-After`. */
export function setOverloaded(ctx: Context, status: 429 | 503, delay: number): void {
  setRefusal(ctx, status)
  setRetryAfter(ctx, delay)
}

/** Tells when to come back (RFC 9110, section 10.2.3), of milliseconds in whole seconds. */
export function setRetryAfter(ctx: Context, delay: number): void {
  ctx.set('Retry-After', String(Math.ceil(delay / 1_000)))
}

/** The status that Koa will answer for an error that was thrown: `ctx.throw(403)` carries its own. */
export function statusOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('status' in error)) return 500
  return typeof error.status === 'number' ? error.status : 500
}
