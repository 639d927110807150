import type { Environment } from './environment.ts'
import { TICK } from './limits.ts'

/** Watchdog: detects silence. */
export interface Watch {
  /** Starts the watchdog, as if bytes had just arrived. `bound` is the longest silence allowed, in milliseconds. */
  start(bound?: number): void
  /** Bytes have arrived. */
  sign(): void
  /** Sets the longest silence allowed, in milliseconds. */
  allow(bound: number): void
  stop(): void
  /** Checks at once, if started: the page or its device has been asleep. */
  look(): void
}

/** @param silent called when the silence has been too long */
export function createWatch(env: Environment, silent: () => void): Watch {
  // Set while it is running.
  let cancel: (() => void) | undefined
  let bound = 0
  // Wall-clock time, which includes sleep. A change of the clock costs one reconnect.
  let signAt = 0
  const sign = (): void => {
    signAt = env.now()
  }
  const look = (): void => {
    if (cancel && Math.abs(env.now() - signAt) >= bound) silent()
  }
  const tick = (): void => {
    cancel = env.after(TICK, () => {
      // A page that was busy runs its timers before it reads what has arrived meanwhile: that is read first.
      cancel = env.after(1, () => {
        tick()
        look()
      })
    })
  }
  return {
    start(ms = bound) {
      cancel?.()
      bound = ms
      sign()
      tick()
    },
    sign,
    allow(ms) {
      bound = ms
    },
    stop() {
      cancel?.()
      cancel = undefined
    },
    look,
  }
}
