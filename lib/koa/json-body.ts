import type { Context } from 'koa'

/** Why a body cannot be used. */
export type BodyFault = 413 | 415 | 400

/** What is wrong with it, for who has sent it. */
export const BODY_FAULTS = {
  400: 'the body is no JSON',
  413: 'the body is too large',
  415: 'the body must be JSON: say so with `Content-Type: application/json`',
} as const

/**
 * The JSON that a request carries: as a parser in front has left it, or read from the request. A body that is too large is
 * not read to its end.
 */
export async function readJson(ctx: Context, maxBytes: number): Promise<{ readonly json: unknown } | BodyFault> {
  if (!ctx.is('json', '+json')) return 415
  const parsed: unknown = Reflect.get(ctx.request, 'body')
  if (parsed !== undefined) return { json: parsed }
  try {
    const text = await readText(ctx, maxBytes)
    if (text !== undefined) return { json: JSON.parse(text) }
  } catch {
    // No JSON; or the client has left in the middle, and nobody reads the answer.
    return 400
  }
  // What is left of the body would be read before the next request.
  if (ctx.req.httpVersionMajor < 2) ctx.set('Connection', 'close')
  return 413
}

async function readText({ req }: Context, maxBytes: number): Promise<string | undefined> {
  if (Number(req.headers['content-length']) > maxBytes) return undefined
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
