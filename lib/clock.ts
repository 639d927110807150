import { randomUUID } from 'node:crypto'

/**
 * Where time, chance, identifiers and turns of the event loop come from. Replaced in tests and simulations, which then
 * decide all of them.
 */
export interface Clock {
  /** Milliseconds since 1970. It may be set back or forth while the process runs. */
  now(): number
  /** Milliseconds since some moment, which only ever rise: for durations and deadlines. */
  monotonic(): number
  /** Runs `tick` every `ms` milliseconds without keeping the process alive; the answer stops it. */
  every(ms: number, tick: () => void): () => void
  /** Runs `task` once after `ms` milliseconds without keeping the process alive; the answer stops it. */
  after(ms: number, task: () => void): () => void
  /** Runs `task` once in the next turn of the event loop; the answer stops it. */
  turn(task: () => void): () => void
  /** A number from 0 to 1, without 1: for jitter, never for secrets. */
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

/** A clock of which an application gives only a part: the rest is the system's, but for time, which must be one time. */
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
