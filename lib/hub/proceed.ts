import { isPromise } from '../application.ts'

/**
 * Goes on with a value: at once where it is there, and otherwise once it is. What is at hand costs no promise, and no turn
 * of the microtasks.
 *
 * @param failed is called where the value is a promise that rejects; without it that is the outcome
 * @returns what `next` or `failed` answers, or a promise of it
 */
export function proceed<T, R>(
  value: T | PromiseLike<T>,
  next: (value: T) => R | Promise<R>,
  failed?: (error: unknown) => R,
): R | Promise<R> {
  return isPromise(value) ? Promise.resolve(value).then(next, failed) : next(value)
}

/** Calls a function, and goes on with what it answers or throws in the same way. */
export function attempt<T, R>(
  call: () => T | PromiseLike<T>,
  next: (value: T) => R,
  failed: (error: unknown) => R,
): R | Promise<R> {
  let value: T | PromiseLike<T>
  try {
    value = call()
  } catch (error) {
    return failed(error)
  }
  return proceed(value, next, failed)
}
