import type { Context } from 'koa'
import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'

// The time limit of a body in milliseconds. Node's own is 5 minutes over HTTP/1.1, and none over HTTP/2.
const BODY_TIME = 60_000

/** The status for a body that cannot be used. */
export type BodyFault = 408 | 413 | 415 | 400

/** The error messages for the client. */
export const BODY_FAULTS = {
  400: 'the body is not JSON',
  408: 'the body takes too long',
  413: 'the body is too large',
  415: 'the body must be JSON, with `Content-Type: application/json`',
} as const

/** The limits of a body. */
interface BodyLimits {
  readonly clock: Clock
  readonly maxBytes: number
}

/**
 * The JSON body of a request: as a body parser has left it, or read from the request. A body that is too large or too
 * slow is not read to its end.
 */
export async function readJson(ctx: Context, limits: BodyLimits): Promise<{ readonly json: unknown } | BodyFault> {
  // Koa's `is` finds no body in an HTTP/2 request without `Content-Length`.
  if (!/^[^/]+[/](?:[^/]+[+])?json$/i.test(ctx.request.type.trim())) return 415
  const parsed: unknown = Reflect.get(ctx.request, 'body')
  if (parsed !== undefined) return { json: parsed }
  try {
    const text = await readText(ctx, limits)
    if (typeof text === 'string') return { json: JSON.parse(text) }
    // The rest of the body would be read before the next request.
    if (ctx.req.httpVersionMajor < 2) ctx.set('Connection', 'close')
    return text
  } catch {
    // Invalid JSON; or the client has disconnected, and nobody reads the answer.
    return 400
  }
}

async function readText({ req }: Context, { clock, maxBytes }: BodyLimits): Promise<string | 408 | 413> {
  if (Number(req.headers['content-length']) > maxBytes) return 413
  const until = clock.monotonic() + BODY_TIME
  const chunks: Buffer[] = []
  let bytes = 0
  // Not `for await`: leaving that would destroy the request before it is answered.
  const body = req[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>
  for (;;) {
    const next = await within(clock, Math.max(1, until - clock.monotonic()), body.next(), () => LATE).catch(isLate)
    if (next === undefined) return 408
    if (next.done === true) return Buffer.concat(chunks).toString()
    bytes += next.value.length
    if (bytes > maxBytes) return 413
    chunks.push(next.value)
  }
}

const LATE = new Error('the body takes too long')

function isLate(error: unknown): undefined {
  if (error !== LATE) throw error
}
