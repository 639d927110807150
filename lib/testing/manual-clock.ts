import { systemClock, type Clock } from '../clock.ts'

interface Task {
  due: number
  /** Milliseconds between two runs; `undefined` for one run only. */
  readonly interval: number | undefined
  readonly run: () => void
}

/**
 * A clock that stands still until it is told to advance. Turns of the event loop, chance and identifiers are the real
 * ones.
 */
export class ManualClock implements Clock {
  readonly #tasks = new Set<Task>()
  #now: number
  #elapsed = 0

  /** @param start milliseconds since 1970; default the first second of 2026 */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start
  }

  readonly now = (): number => this.#now

  readonly monotonic = (): number => this.#elapsed
  readonly turn = systemClock.turn
  readonly random = systemClock.random
  readonly id = systemClock.id

  readonly every = (ms: number, run: () => void): (() => void) => {
    if (!(ms > 0)) throw new RangeError(`a clock cannot tick every ${String(ms)} ms`)
    return this.#plan({ due: this.#elapsed + ms, interval: ms, run })
  }

  readonly after = (ms: number, run: () => void): (() => void) =>
    this.#plan({ due: this.#elapsed + ms, interval: undefined, run })

  /** How many tasks wait. Zero when everything that was started has been stopped. */
  get pending(): number {
    return this.#tasks.size
  }

  /** Lets `ms` milliseconds pass, and runs what falls due meanwhile, in order and each at its own time. */
  advance(ms: number): void {
    const end = this.#elapsed + ms
    for (let task = this.#next(end); task !== undefined; task = this.#next(end)) {
      this.#passTo(Math.max(this.#elapsed, task.due))
      if (task.interval === undefined) this.#tasks.delete(task)
      else task.due += task.interval
      task.run()
    }
    this.#passTo(end)
  }

  /** Sets the time back or forth as an administrator would: nothing runs, and what waits goes on waiting as long as before. */
  set(now: number): void {
    this.#now = now
  }

  #passTo(elapsed: number): void {
    this.#now += elapsed - this.#elapsed
    this.#elapsed = elapsed
  }

  #plan(task: Task): () => void {
    this.#tasks.add(task)
    return () => this.#tasks.delete(task)
  }

  #next(end: number): Task | undefined {
    let next: Task | undefined
    for (const task of this.#tasks) {
      if (task.due <= end && (next === undefined || task.due < next.due)) next = task
    }
    return next
  }
}

/**
 * A clock for `createHub({ clock })` that stands still until the test says `clock.advance(ms)`: heartbeats, logins that
 * expire, `maxAge` and history's age take no time then. An authenticator, and a broker that the test makes, has a `clock`
 * of its own: give it the same one. What the kit waits for takes real time, as HTTP does.
 *
 * @param start milliseconds since 1970; default the first second of 2026
 */
export function manualClock(start?: number): ManualClock {
  return new ManualClock(start)
}
