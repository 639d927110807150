import type { Environment } from './environment.ts'
import { TICK } from './limits.ts'

/** Notices when nothing has come for too long. */
export interface Watch {
  /** Begins to look, as if something had come just now. From now on so many milliseconds of silence are too long. */
  start(bound?: number): void
  /** Something has come. */
  sign(): void
  /** From now on so many milliseconds of silence are too long. */
  allow(bound: number): void
  stop(): void
  /** Looks at once, if it looks at all: the page, or its device, has been asleep. */
  look(): void
}

/** @param silent is told when nothing has come for too long */
export function createWatch(env: Environment, silent: () => void): Watch {
  // While it looks.
  let cancel: (() => void) | undefined
  let bound = 0
  // Wall time: it goes on in a sleep. A clock that is set costs one reconnect.
  let signAt = 0
  const sign = (): void => {
    signAt = env.now()
  }
  const look = (): void => {
    if (cancel && Math.abs(env.now() - signAt) >= bound) silent()
  }
  const tick = (): void => {
    cancel = env.after(TICK, () => {
      tick()
      look()
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
