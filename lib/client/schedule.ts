import { createBackOff } from './back-off.ts'
import type { Environment } from './environment.ts'
import { LONGEST_ASKED } from './limits.ts'
import type { Reason } from './reasons.ts'

/** When the next attempt is made. */
export interface Schedule {
  /** A stream is open. */
  opened(): void
  /** The server says how long to wait at least, in milliseconds. */
  readonly askFor: (ms: number) => void
  /** After the growing wait, on top of what the server says: here, or in this answer. */
  later(reason: Reason, asked: number): void
  /** As soon as the server allows. */
  hasten(reason: Reason): void
  /** At a time. */
  at(time: number, reason: Reason): void
  clear(): void
}

export function createSchedule(env: Environment, attempt: (reason: Reason) => unknown): Schedule {
  const backOff = createBackOff(env)
  let cancel = (): void => undefined
  let floor = 0
  let notBefore = 0
  // Since when streams have been open, but for the moments in which they were replaced.
  let healthySince: number | undefined

  const at = (time: number, reason: Reason): void => {
    cancel()
    cancel = env.after(Math.max(0, time - env.now()), () => attempt(reason))
  }

  return {
    opened() {
      healthySince ??= env.now()
    },
    askFor(ms) {
      floor = ms
    },
    later(reason, asked) {
      const now = env.now()
      notBefore = now + Math.min(Math.max(floor, asked), LONGEST_ASKED)
      at(notBefore + backOff(now - (healthySince ?? now)), reason)
      healthySince = undefined
    },
    hasten(reason) {
      if (notBefore > env.now()) at(notBefore, reason)
      else attempt(reason)
    },
    at,
    clear: () => cancel(),
  }
}
