import type { Clock } from './clock.ts'
import { within } from './deadline.ts'

/**
 * Calls of functions that the application gives us. Each may throw, reject, hang or answer junk at any time. Here all of
 * that becomes one error for the one caller, and nothing is left that would end the process as an uncaught exception or
 * an unhandled rejection.
 */

/** How long the application may take. */
export interface CallLimit {
  readonly clock: Clock
  /** Milliseconds. */
  readonly ms: number
  /** What is called: `` `subscribe` ``, `the limiter`. */
  readonly what: string
  /** Makes the error for a call that takes longer from a message that says so. Default: a plain `Error`. */
  readonly late?: (message: string) => Error
}

/**
 * Calls a function that may be asynchronous, and answers what it answers.
 *
 * @throws what the function throws, as a rejection; an error of `late` when `ms` milliseconds have passed. Whatever the
 *   function does after that is ignored.
 */
export async function callInTime<T>({ clock, ms, what, late }: CallLimit, call: () => T | PromiseLike<T>): Promise<T> {
  const answer = call()
  // What can be no promise is there already, and never late.
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
 * Calls a function whose answer is needed at once.
 *
 * @throws what the function throws; a `TypeError` if it answers a promise, whose outcome is ignored then
 */
export function callNow<T>(what: string, call: () => T): T {
  const answer = call()
  if (!isPromise(answer)) return answer
  ignoreOutcome(answer)
  throw new TypeError(`${what} must answer at once, not with a promise`)
}

/** Calls a function whose answer nobody waits for. `failed` hears of what it throws, at once, or rejects with, later. */
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

/** Whether a value is a promise, of whatever make. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && 'then' in value && typeof value.then === 'function'
}

// Functions are objects, too, and may have a `then`.
function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

/** Keeps a promise that is of no use from being an unhandled rejection. */
export function ignoreOutcome(work: unknown): void {
  settled(() => work).catch(() => undefined)
}

// An exception becomes a rejection, as does one of a `then` that is no honest one.
async function settled<T>(call: () => T | PromiseLike<T>): Promise<T> {
  return call()
}
