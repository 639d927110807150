import { createBackOff } from './back-off.ts'
import type { Environment } from './environment.ts'
import { LONGEST_ASKED } from './limits.ts'
import type { Reason } from './reasons.ts'

/** Schedules the next attempt. */
export interface Schedule {
  /** A stream is open. */
  opened(): void
  /** The server's minimum delay, in milliseconds. */
  readonly askFor: (ms: number) => void
  /** After the back-off, added to the server's delay: the last one, or that of this response. */
  later(reason: Reason, asked: number): void
  /** As soon as the server allows. */
  hasten(reason: Reason): void
  /** At a given time. */
  at(time: number, reason: Reason): void
  clear(): void
}

export function createSchedule(env: Environment, attempt: (reason: Reason) => unknown): Schedule {
  const backOff = createBackOff(env)
  let cancel = (): void => undefined
  let floor = 0
  let notBefore = 0
  // Since when streams have been open, ignoring short reconnects.
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
