import type { Clock } from '../../lib/clock.ts'
import type { Random } from '../support/random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** When the world begins, in milliseconds since 1970. */
export const BEGINNING = Date.UTC(2026, 0, 1)

/**
 * A process of the simulated world, and the clock that it lives by. It may be frozen, and goes on then where it was; once
 * it has died nothing of it runs.
 */
export class SimulatedProcess implements Clock {
  readonly name: string
  /** For how many milliseconds it was frozen last. */
  frozenFor = 0
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #start: number
  #isDead = false
  #frozenUntil = 0
  // What came while it was frozen, in its order.
  readonly #waiting: (() => void)[] = []
  // By how much the wall clock is wrong.
  #offset = 0
  #ids = 0

  constructor(name: string, time: VirtualTime, random: Random) {
    this.name = name
    this.#time = time
    this.#random = random
    this.#start = random.between(1, 1_000_000)
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get frozenUntil(): number {
    return this.#frozenUntil
  }

  die(): void {
    this.#isDead = true
  }

  /** The time of the world. */
  get age(): number {
    return this.#time.now
  }

  /** Nothing runs for so many milliseconds. */
  freeze(ms: number): void {
    this.frozenFor = ms
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#time.now + ms)
    this.#time.after(ms, () => {
      if (this.#isFrozen) return
      for (const task of this.#waiting.splice(0)) this.#time.after(0, () => this.run(task))
    })
  }

  /** Sets the wall clock back or forth. */
  stepClock(ms: number): void {
    this.#offset += ms
  }

  /** Runs something here, now or once the process goes on. */
  run(task: () => void): void {
    if (this.#isDead) return
    if (this.#isFrozen) this.#waiting.push(task)
    else task()
  }

  now(): number {
    return BEGINNING + this.#time.now + this.#offset
  }

  monotonic(): number {
    return this.#start + this.#time.now
  }

  after(ms: number, task: () => void): () => void {
    let wanted: (() => void) | undefined = task
    const moment = this.#time.after(ms, () => {
      this.run(() => wanted?.())
    })
    return () => {
      wanted = undefined
      moment.cancel()
    }
  }

  every(ms: number, tick: () => void): () => void {
    let stop = (): void => {}
    const plan = (): void => {
      stop = this.after(ms, () => {
        plan()
        tick()
      })
    }
    plan()
    return () => {
      stop()
    }
  }

  // Mostly nothing else is ready; sometimes the loop is busy, and what comes from outside gets in between.
  turn(task: () => void): () => void {
    return this.after(this.#random.chance(0.1) ? this.#random.next() : 0, task)
  }

  random(): number {
    return this.#random.next()
  }

  get #isFrozen(): boolean {
    return this.#frozenUntil > this.#time.now
  }

  id(): string {
    this.#ids += 1
    return `${this.name}x${this.#ids}x${Math.floor(this.#random.next() * 2 ** 32).toString(36)}`
  }
}
