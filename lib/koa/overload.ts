import type { Context } from 'koa'
import { callNow } from '../application.ts'
import type { HubEngine } from '../hub/engine.ts'
import { invalid } from '../options.ts'

/** How a client is turned away: `postpone` with 200 and `retry:`, `reject` with 429 or 503 and `Retry-After`. */
export type Overload = 'postpone' | 'reject'

/** One way for all clients, or a function that chooses for each request. */
export type OverloadOption = Overload | ((ctx: Context) => Overload)

/** @throws {TypeError} for any other value */
export function checkOverload(option: unknown = 'postpone'): OverloadOption {
  if (isOverload(option) || typeof option === 'function') return option as OverloadOption
  throw invalid('overload', '`postpone`, `reject` or a function that returns one of them', option)
}

/**
 * How this client is turned away. If the function throws or returns anything else, the hub emits `fault` and the client
 * is postponed: an EventSource would never reconnect after any other response.
 */
export function overloadFor(
  ctx: Context,
  { hub, overload }: { readonly hub: HubEngine; readonly overload: OverloadOption },
): Overload {
  if (typeof overload !== 'function') return overload
  try {
    const chosen: unknown = callNow('`overload`', () => overload(ctx))
    if (isOverload(chosen)) return chosen
    throw invalid('overload(ctx)', '`postpone` or `reject`', chosen)
  } catch (error) {
    hub.failed('overload', error)
    return 'postpone'
  }
}

function isOverload(value: unknown): value is Overload {
  return value === 'postpone' || value === 'reject'
}
