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
export function createVigil({ now, after, chance, page }: Environment, ask: () => void, depose: () => void): Vigil {
  // Two tabs that can be seen do not take over together.
  const patience = TAKE_OVER + chance() * TAKE_OVER_JITTER
  let cancel = (): void => undefined
  let seenAt = now()
  let isLeaderHidden = false

  const look = (): void => {
    cancel()
    if (page.document?.hidden) return
    const askedAt = now()
    if (isLeaderHidden && askedAt - seenAt >= patience) {
      depose()
      return
    }
    cancel = after(ANSWER, () => {
      // Where this tab itself has slept, the answer may be about to be read.
      if (now() - askedAt > 2 * ANSWER) look()
      else depose()
    })
    ask()
  }

  return {
    look,
    seen() {
      seenAt = now()
    },
    sign(isHidden) {
      isLeaderHidden = isHidden
      cancel()
      cancel = after(ASK_EVERY, look)
    },
    stop() {
      cancel()
      isLeaderHidden = false
    },
  }
}
