import type { Clock } from '../clock.ts'

/** A recurring task. */
export interface Task {
  /** The tick it is scheduled for. Written by the wheel only. */
  appointment: number | undefined
  /** Called when due. Returns when to be called next, by the monotonic clock, or `undefined` for never. */
  run(now: number): number | undefined
}

/** The resolution of the wheel, in milliseconds: a task runs less than two ticks late, and never early. */
export const TICK = 1_000

/**
 * One timer for all streams: a bucket of tasks per second, so that ten thousand heartbeats, expiries and deadlines cost
 * a lookup per second and a number each. The timer runs only while there are tasks.
 */
export class TimerWheel {
  readonly #clock: Clock
  readonly #buckets = new Map<number, Set<Task>>()
  #tick: number
  #stop: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#tick = tickOf(clock.monotonic())
  }

  /** Schedules a task, replacing its previous schedule. */
  schedule(task: Task, at: number | undefined): void {
    this.cancel(task)
    if (at === undefined || at === Infinity) return
    if (this.#buckets.size === 0) this.#start()
    const tick = Math.max(this.#tick + 1, Math.ceil(at / TICK))
    const bucket = this.#buckets.get(tick)
    if (bucket === undefined) this.#buckets.set(tick, new Set([task]))
    else bucket.add(task)
    task.appointment = tick
  }

  /** Schedules a task for this time at the latest. */
  hasten(task: Task, at: number): void {
    if (task.appointment === undefined || at < task.appointment * TICK) this.schedule(task, at)
  }

  cancel(task: Task): void {
    if (task.appointment === undefined) return
    const bucket = this.#buckets.get(task.appointment)
    bucket?.delete(task)
    if (bucket?.size === 0) this.#buckets.delete(task.appointment)
    task.appointment = undefined
    if (this.#buckets.size === 0) this.#halt()
  }

  #start(): void {
    this.#tick = tickOf(this.#clock.monotonic())
    this.#stop ??= this.#clock.every(TICK, () => {
      this.#beat()
    })
  }

  #halt(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  // A process that was stopped, or busy for long, runs its timers before it sees what clients have read meanwhile: they
  // are judged a turn of the event loop later.
  #beat(): void {
    const isLate = tickOf(this.#clock.monotonic()) > this.#tick + 1
    if (!isLate) this.#turn()
    else {
      this.#clock.turn(() => {
        this.#turn()
      })
    }
  }

  #turn(): void {
    const now = this.#clock.monotonic()
    const until = tickOf(now)
    // After a long pause of the process most missed ticks have no bucket.
    const due = [...this.#buckets.keys()].filter(tick => tick <= until).sort((a, b) => a - b)
    this.#tick = until
    for (const tick of due) {
      // Tasks cancelled by others meanwhile leave the bucket; no task is ever added to a due one.
      for (const task of this.#buckets.get(tick) ?? []) {
        this.cancel(task)
        const next = task.run(now)
        if (task.appointment === undefined) this.schedule(task, next)
      }
    }
    if (this.#buckets.size === 0) this.#halt()
  }
}

function tickOf(ms: number): number {
  return Math.floor(ms / TICK)
}
