/** Where time comes from. Replaced in tests, so that they wait for events and not for durations. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Runs `tick` every `ms` milliseconds without keeping the process alive; the answer stops it. */
  every(ms: number, tick: () => void): () => void
  /** Runs `task` once after `ms` milliseconds without keeping the process alive; the answer stops it. */
  after(ms: number, task: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  every: (ms, tick) => {
    const timer = setInterval(tick, ms).unref()
    return () => {
      clearInterval(timer)
    }
  },
  after: (ms, task) => {
    const timer = setTimeout(task, ms).unref()
    return () => {
      clearTimeout(timer)
    }
  },
}
