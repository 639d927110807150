import { isPromise } from '../application.ts'

/**
 * Calls `next` with a value: synchronously, or once it resolves if it is a promise. A value that is available costs no
 * promise and no microtask.
 *
 * @param failed is called if the promise rejects; without it the result rejects
 * @returns what `next` or `failed` returns, or a promise of it
 */
export function proceed<T, R>(
  value: T | PromiseLike<T>,
  next: (value: T) => R | Promise<R>,
  failed?: (error: unknown) => R,
): R | Promise<R> {
  return isPromise(value) ? Promise.resolve(value).then(next, failed) : next(value)
}

/**
 * Calls a function and passes its result to `next`, or what it throws or rejects with to `failed`, as `proceed` does.
 */
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
