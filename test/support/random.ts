/** Choices that a seed decides, so that a run which failed can be repeated. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** A number from 0 to 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `min` up to and without `max`. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length)] as T
  }

  /** One or two of them, each once. */
  some<T>(items: readonly T[]): T[] {
    return [...new Set([this.pick(items), this.pick(items)])]
  }
}

/** The seed in the environment variable `SEED`, or any other. */
export function seedOf(env: NodeJS.ProcessEnv): number {
  return Number(env.SEED ?? Math.floor(Math.random() * 2 ** 32))
}
