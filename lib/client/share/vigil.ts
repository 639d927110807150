import type { Environment } from '../environment.ts'
import { ANSWER, ASK_EVERY, TAKE_OVER, TAKE_OVER_JITTER } from './limits.ts'

/**
 * Watches the leader as long as this tab is visible. Timers of hidden tabs hardly run, but messages are handled: it is an
 * answer that is missed, not a beat.
 */
export interface Vigil {
  /** Looks at once. */
  look(): void
  /** The tab can be seen from now on. */
  seen(): void
  /** The leader lives; or so it was said. */
  sign(isHidden: boolean): void
  stop(): void
}

/**
 * @param ask asks the leader for a sign
 * @param depose the leader is dead, or frozen, or hidden while this tab is not
 */
export function createVigil(env: Environment, ask: () => void, depose: () => void): Vigil {
  // Two tabs that can be seen do not take over together.
  const patience = TAKE_OVER + env.chance() * TAKE_OVER_JITTER
  let cancel = (): void => undefined
  let seenAt = env.now()
  let isLeaderHidden = false

  const look = (): void => {
    cancel()
    if (env.page.document?.hidden) return
    const askedAt = env.now()
    if (isLeaderHidden && askedAt - seenAt >= patience) {
      depose()
      return
    }
    cancel = env.after(ANSWER, () => {
      // Where this tab itself has slept, the answer may be about to be read.
      if (env.now() - askedAt > 2 * ANSWER) look()
      else depose()
    })
    ask()
  }

  return {
    look,
    seen() {
      seenAt = env.now()
    },
    sign(isHidden) {
      isLeaderHidden = isHidden
      cancel()
      cancel = env.after(ASK_EVERY, look)
    },
    stop() {
      cancel()
      isLeaderHidden = false
    },
  }
}
