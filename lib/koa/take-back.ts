import type { Context } from 'koa'
import { ignoreOutcome } from '../application.ts'

/**
 * Remembers an answer as it is before a function of the application's gives its own.
 *
 * @returns takes back what that has set, for another to be given: its status and its body take the place of those there are
 */
export function rememberAnswer(ctx: Context): () => void {
  const { res, respond } = ctx
  const headers = Object.entries(res.getHeaders())
  return () => {
    // Whoever it was handed to, Koa would leave the client without an answer.
    ctx.respond = respond
    // What has been begun cannot be answered otherwise. It must not look complete.
    if (res.headersSent) {
      if (!res.writableEnded) res.destroy()
      return
    }
    discard(ctx.body)
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    for (const [name, value] of headers) if (value !== undefined) res.setHeader(name, value)
  }
}

/** Lets go of what stands behind a body that nobody will read. */
function discard(body: unknown): void {
  if (body instanceof Response) discard(body.body)
  else if (body instanceof ReadableStream) ignoreOutcome(body.cancel())
  else if (isNodeStream(body)) body.on('error', () => undefined).destroy()
}

function isNodeStream(body: unknown): body is NodeJS.ReadableStream & { destroy(): void } {
  return typeof body === 'object' && body !== null && 'pipe' in body && 'destroy' in body
}
