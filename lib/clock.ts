import { randomUUID } from 'node:crypto'

/** The source of time, randomness, identifiers and turns of the event loop. Tests and simulations replace it. */
export interface Clock {
  /** Milliseconds since 1970. May jump in either direction while the process runs. */
  now(): number
  /** Milliseconds since an arbitrary moment, never decreasing: for durations and deadlines. */
  monotonic(): number
  /** Runs `tick` every `ms` milliseconds without keeping the process alive; returns a function that stops it. */
  every(ms: number, tick: () => void): () => void
  /** Runs `task` once after `ms` milliseconds without keeping the process alive; returns a function that cancels it. */
  after(ms: number, task: () => void): () => void
  /** Runs `task` once in the next turn of the event loop; returns a function that cancels it. */
  turn(task: () => void): () => void
  /** A number in [0, 1): for jitter, never for secrets. */
  random(): number
  /** A new identifier: for names, never for secrets. */
  id(): string
}

export const systemClock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  every: (ms: number, tick: () => void) => {
    const timer = setInterval(tick, ms).unref()
    return () => {
      clearInterval(timer)
    }
  },
  after: (ms: number, task: () => void) => {
    const timer = setTimeout(task, ms).unref()
    return () => {
      clearTimeout(timer)
    }
  },
  turn: (task: () => void) => {
    const immediate = setImmediate(task)
    return () => {
      clearImmediate(immediate)
    }
  },
  random: () => Math.random(),
  id: (): string => randomUUID(),
}) satisfies Clock

/**
 * Fills the gaps of a partial clock with the system's. If only `now` is given, `monotonic` follows it, so that both
 * advance together.
 */
export function completeClock(given: Partial<Clock> | undefined): Clock {
  if (given === undefined) return systemClock
  let latest = -Infinity
  return {
    now: () => given.now?.() ?? systemClock.now(),
    monotonic: () => given.monotonic?.() ?? (latest = Math.max(latest, given.now?.() ?? systemClock.monotonic())),
    every: (ms, tick) => (given.every === undefined ? systemClock.every(ms, tick) : given.every(ms, tick)),
    after: (ms, task) => (given.after === undefined ? systemClock.after(ms, task) : given.after(ms, task)),
    turn: task => (given.turn === undefined ? systemClock.turn(task) : given.turn(task)),
    random: () => given.random?.() ?? systemClock.random(),
    id: () => given.id?.() ?? systemClock.id(),
  }
}
