import { contextSessionOf } from './auth/session-key.ts'

/** The used part of a Koa context. */
export interface RequestContext {
  readonly req: object
}

/** The context that koa-session passes to its store, in the last argument of each call. */
export function contextOf(args: readonly unknown[]): RequestContext | undefined {
  const options = args.at(-1)
  if (typeof options !== 'object' || options === null || !('ctx' in options)) return undefined
  return isContext(options.ctx) ? options.ctx : undefined
}

/** The stored sessions that each request has read or saved. */
export class SessionRequests {
  readonly #keys = new WeakMap<RequestContext, Set<unknown>>()

  /** Records a session that the store returned to a request or got from it; returns it. */
  met<T>(ctx: RequestContext | undefined, key: unknown, data: T): T {
    if (ctx === undefined || !data) return data
    const keys = this.#keys.get(ctx)
    if (keys === undefined) this.#keys.set(ctx, new Set([key]))
    else keys.add(key)
    return data
  }

  /**
   * Whether the request created this session and never stored it: koa-session still calls `destroy` for it. Always
   * `false` for other sessions, read by the request or not.
   */
  hasMadeUp(ctx: RequestContext | undefined, key: unknown): boolean {
    if (ctx === undefined || this.#keys.get(ctx)?.has(key) === true) return false
    return contextSessionOf(ctx)?.externalKey === key
  }
}

function isContext(value: unknown): value is RequestContext {
  return (
    typeof value === 'object' && value !== null && 'req' in value && typeof value.req === 'object' && value.req !== null
  )
}
