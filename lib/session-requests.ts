import { contextSessionOf } from './auth/session-key.ts'

/** The part of a Koa context that is used here. */
export interface RequestContext {
  readonly req: object
}

/** The context that koa-session hands to its store, in the last argument of each call. */
export function contextOf(args: readonly unknown[]): RequestContext | undefined {
  const options = args.at(-1)
  if (typeof options !== 'object' || options === null || !('ctx' in options)) return undefined
  return isContext(options.ctx) ? options.ctx : undefined
}

/** Which sessions of the store each request has come across. */
export class SessionRequests {
  readonly #keys = new WeakMap<RequestContext, Set<unknown>>()

  /** Notes what a store has answered to a request, or got from it, and answers that. */
  met<T>(ctx: RequestContext | undefined, key: unknown, data: T): T {
    if (ctx === undefined || !data) return data
    const keys = this.#keys.get(ctx)
    if (keys === undefined) this.#keys.set(ctx, new Set([key]))
    else keys.add(key)
    return data
  }

  /**
   * Whether a session is of a request's own making, and nothing has ever been stored under its key: koa-session has it
   * destroyed like any other. Sessions of others are none of these, whether the request has met them or not.
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
