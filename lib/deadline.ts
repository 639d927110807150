import type { Clock } from './clock.ts'
import { LONGEST_DURATION } from './options.ts'

const STEPS = 4

/**
 * Runs `task` once after `ms` milliseconds; returns a function that cancels it.
 *
 * A process that was busy, or stopped, runs its timers before it reads what has arrived meanwhile, and before it sends
 * what depends on that. So a deadline is several timers, one after the other, and a turn of the event loop after the last:
 * however long the process does nothing else, it uses up one of them, and what is waited for can still come.
 */
export function deadline(clock: Clock, ms: number, task: () => void): () => void {
  let left = STEPS
  let cancel: () => void
  const wait = (): void => {
    // Several of the longest durations may have been added up, and Node runs a longer timer at once.
    cancel = clock.after(Math.min(ms / STEPS, LONGEST_DURATION), () => {
      left -= 1
      if (left > 0) wait()
      else cancel = clock.turn(task)
    })
  }
  wait()
  return () => {
    cancel()
  }
}

/** Returns the result of `work`, or rejects with the error of `late` after `ms` milliseconds. */
export async function within<T>(clock: Clock, ms: number, work: PromiseLike<T>, late: () => Error): Promise<T> {
  let cancel: (() => void) | undefined
  const tooLate = new Promise<never>((_, reject) => {
    cancel = deadline(clock, ms, () => {
      reject(late())
    })
  })
  try {
    return await Promise.race([work, tooLate])
  } finally {
    cancel?.()
  }
}
