import type { Environment } from '../environment.ts'
import { ANSWER, ASK_EVERY, TAKE_OVER, TAKE_OVER_JITTER } from './limits.ts'

/**
 * Watches the leader while this tab is visible. Timers of hidden tabs hardly run, but messages are handled: it detects
 * a missing pong, not a missing heartbeat.
 */
export interface Vigil {
  /** Checks at once. */
  look(): void
  /** The tab has become visible. */
  seen(): void
  /** The leader is alive, according to its message. */
  sign(isHidden: boolean): void
  stop(): void
}

/**
 * @param ask pings the leader
 * @param depose the leader is dead, frozen, or hidden while this tab is visible
 */
export function createVigil(env: Environment, ask: () => void, depose: () => void): Vigil {
  // Jitter, so that two visible tabs do not take over together.
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
      // If this tab itself has slept, the response may already be queued.
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
