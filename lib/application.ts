import type { Clock } from './clock.ts'
import { within } from './deadline.ts'

/**
 * Calls of application functions. Each may throw, reject, hang or return anything. Every failure becomes one error for
 * the caller, never an uncaught exception or an unhandled rejection.
 */

/** A time limit for a call. */
export interface CallLimit {
  readonly clock: Clock
  /** Milliseconds. */
  readonly ms: number
  /** The function, for messages: `` `subscribe` ``, `the limiter`. */
  readonly what: string
  /** Creates the error of a call that times out, from its message. Default: a plain `Error`. */
  readonly late?: (message: string) => Error
}

/**
 * Calls a function that may be asynchronous, and returns its result.
 *
 * @throws what the function throws, as a rejection; the error of `late` after `ms` milliseconds. A later result or
 *   error is ignored.
 */
export async function callInTime<T>({ clock, ms, what, late }: CallLimit, call: () => T | PromiseLike<T>): Promise<T> {
  const answer = call()
  // A primitive cannot be a promise: it needs no deadline.
  if (!isObject(answer)) return answer
  return within(
    clock,
    ms,
    settled(() => answer),
    () => {
      const message = `${what} did not answer within ${String(ms)} ms`
      return late === undefined ? new Error(message) : late(message)
    },
  )
}

/**
 * Calls a function that must be synchronous.
 *
 * @throws what the function throws; a `TypeError` if it returns a promise, whose outcome is then ignored
 */
export function callNow<T>(what: string, call: () => T): T {
  const answer = call()
  if (!isPromise(answer)) return answer
  ignoreOutcome(answer)
  throw new TypeError(`${what} must be synchronous, but returned a promise`)
}

/** Calls a function without waiting for it. Passes to `failed` what it throws or rejects with. */
export function callAside(call: () => unknown, failed: (error: unknown) => void): void {
  let answer: unknown
  try {
    answer = call()
  } catch (error) {
    failed(error)
    return
  }
  if (typeof answer === 'object' && answer !== null) settled(() => answer).catch(failed)
}

/** Whether a value is a promise or another thenable. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && 'then' in value && typeof value.then === 'function'
}

// A function may be a thenable, too.
function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

/** Prevents an unhandled rejection of a promise whose outcome does not matter. */
export function ignoreOutcome(work: unknown): void {
  settled(() => work).catch(() => undefined)
}

// Turns an exception into a rejection, including one thrown by a broken `then`.
async function settled<T>(call: () => T | PromiseLike<T>): Promise<T> {
  return call()
}
