import type { Clock } from './clock.ts'

/** Returns the result of `work`, or rejects with the error of `late` after `ms` milliseconds. */
export async function within<T>(clock: Clock, ms: number, work: PromiseLike<T>, late: () => Error): Promise<T> {
  let cancel: (() => void) | undefined
  const deadline = new Promise<never>((_, reject) => {
    cancel = clock.after(ms, () => {
      reject(late())
    })
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    cancel?.()
  }
}
