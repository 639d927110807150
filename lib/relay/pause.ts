import type { Clock } from '../clock.ts'

/** Resolves after a number of milliseconds. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise(resolve => {
    clock.after(ms, resolve)
  })
}
