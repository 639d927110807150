import type { Clock } from '../../clock.ts'
import type { KeyValueStore } from '../key-value-store.ts'
import { Sweep } from './sweep.ts'

interface Entry {
  readonly value: string
  readonly until: number
}

/** Values with a TTL, in this process's memory. Without a timer: each write removes a few expired ones. */
export class MemoryStore implements KeyValueStore {
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  readonly #sweep = new Sweep(this.#entries, ({ until }) => until <= this.#clock.monotonic())

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async set(key: string, value: string, ttl: number): Promise<void> {
    this.#sweep.go()
    if (ttl > 0) this.#entries.set(key, { value, until: this.#clock.monotonic() + ttl })
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
    return entry === undefined || entry.until <= this.#clock.monotonic() ? undefined : entry.value
  }
}
