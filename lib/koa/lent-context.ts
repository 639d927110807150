import { Readable } from 'node:stream'
import type { Context } from 'koa'

/** A context that a function of the application may answer with, as long as it has it. */
export interface LentContext {
  readonly ctx: Context
  /** Has the answer be as it was, and whatever the function still does with its context fail. */
  takeBack(): void
}

/** Lends a context, with what it gives of its answer. Only `ctx.res` is Node's own, which nobody can take back. */
export function lend(ctx: Context): LentContext {
  const { res } = ctx
  const headers = Object.entries(res.getHeaders())
  const { statusCode, statusMessage } = res
  const revokers: (() => void)[] = []
  const lent = new Map<object, object>()

  function lendPart<T extends object>(part: T, handler: ProxyHandler<T>): T {
    const known = lent.get(part)
    if (known !== undefined) return known as T
    const { proxy, revoke } = Proxy.revocable(part, handler)
    revokers.push(revoke)
    lent.set(part, proxy)
    return proxy
  }

  const given = lendPart(ctx, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      const isPart = name === 'response' || name === 'cookies'
      return isPart && typeof value === 'object' && value !== null ? lendPart(value, {}) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  })
  return {
    ctx: given,
    takeBack() {
      for (const revoke of revokers) revoke()
      // Whoever it was handed to, Koa would leave the client without an answer.
      ctx.respond = undefined
      // What has been begun cannot be answered otherwise. It must not look complete.
      if (res.headersSent) {
        if (!res.writableEnded) res.destroy()
        return
      }
      if (ctx.body instanceof Readable) ctx.body.destroy()
      for (const name of res.getHeaderNames()) res.removeHeader(name)
      for (const [name, value] of headers) if (value !== undefined) res.setHeader(name, value)
      res.statusCode = statusCode
      res.statusMessage = statusMessage
    },
  }
}
