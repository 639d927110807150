import type { Context } from 'koa'
import { ignoreOutcome } from '../application.ts'

/**
 * Saves the response before a function of the application may change it.
 *
 * @returns restores the saved headers, for another answer, which sets its own status and body
 */
export function rememberAnswer(ctx: Context): () => void {
  const { res, respond } = ctx
  const headers = Object.entries(res.getHeaders())
  return () => {
    // With `respond = false` Koa would never answer the client.
    ctx.respond = respond
    // A response that has begun cannot be replaced. It must not look complete.
    if (res.headersSent) {
      if (!res.writableEnded) res.destroy()
      return
    }
    discard(ctx.body)
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    for (const [name, value] of headers) if (value !== undefined) res.setHeader(name, value)
  }
}

/** Releases the resources of a body that nobody will read. */
function discard(body: unknown): void {
  if (body instanceof Response) discard(body.body)
  else if (body instanceof ReadableStream) ignoreOutcome(body.cancel())
  else if (isNodeStream(body)) body.on('error', () => undefined).destroy()
}

function isNodeStream(body: unknown): body is NodeJS.ReadableStream & { destroy(): void } {
  return typeof body === 'object' && body !== null && 'pipe' in body && 'destroy' in body
}
