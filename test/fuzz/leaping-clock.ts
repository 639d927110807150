import { randomUUID } from 'node:crypto'
import type { Clock } from 'koa-event-stream'

/** The system's clock, which can leap, so that whatever ends with time has ended. Timers that run are not moved. */
export class LeapingClock implements Clock {
  #ahead = 0

  leap(ms: number): void {
    this.#ahead += ms
  }

  readonly now = (): number => Date.now() + this.#ahead

  readonly monotonic = (): number => performance.now() + this.#ahead

  readonly turn = (task: () => void): (() => void) => {
    const immediate = setImmediate(task)
    return () => clearImmediate(immediate)
  }

  readonly random = (): number => Math.random()

  readonly id = (): string => randomUUID()

  readonly every = (ms: number, tick: () => void): (() => void) => {
    const timer = setInterval(tick, ms).unref()
    return () => clearInterval(timer)
  }

  readonly after = (ms: number, task: () => void): (() => void) => {
    const timer = setTimeout(task, ms).unref()
    return () => clearTimeout(timer)
  }
}
