import type { Clock } from '../clock.ts'
import type { KeyValueStore } from './broker.ts'

interface Entry {
  readonly value: string
  readonly until: number
}

/** Values with an end, in this process's memory. Has no timer: each write looks for a few that have ended. */
export class MemoryStore implements KeyValueStore {
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  #sweep: MapIterator<[string, Entry]> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async set(key: string, value: string, ttl: number): Promise<void> {
    this.#sweepSome()
    if (ttl > 0) this.#entries.set(key, { value, until: this.#clock.now() + ttl })
  }

  async get(key: string): Promise<string | undefined> {
    return this.#valueOf(key)
  }

  async take(key: string): Promise<string | undefined> {
    const value = this.#valueOf(key)
    this.#entries.delete(key)
    return value
  }

  #valueOf(key: string): string | undefined {
    const entry = this.#entries.get(key)
    return entry === undefined || entry.until <= this.#clock.now() ? undefined : entry.value
  }

  // Two looked at for one written: the map is never more than about twice what is alive.
  #sweepSome(): void {
    for (let looked = 0; looked < 2; looked += 1) {
      this.#sweep ??= this.#entries.entries()
      const next = this.#sweep.next()
      if (next.done === true) {
        this.#sweep = undefined
        return
      }
      const [key, { until }] = next.value
      if (until <= this.#clock.now()) this.#entries.delete(key)
    }
  }
}
