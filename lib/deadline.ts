import type { Clock } from './clock.ts'

/** Answers what `work` answers, or rejects with the error that `late` makes when `ms` milliseconds have passed. */
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
