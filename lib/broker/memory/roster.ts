import type { Clock } from '../../clock.ts'
import type { Roster } from '../roster.ts'

/** Who is there, in this process's memory. */
export class MemoryRoster implements Roster {
  readonly #clock: Clock
  // When each instance's lease ends, by the monotonic clock.
  readonly #instances = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async beat(instance: string, ttl: number): Promise<boolean> {
    const hasLived = this.#lives(instance)
    this.#instances.set(instance, this.#clock.monotonic() + ttl)
    return hasLived
  }

  async instances(): Promise<readonly string[]> {
    return [...this.#instances.keys()].filter(instance => this.#lives(instance))
  }

  async retire(instance: string): Promise<void> {
    this.#instances.delete(instance)
  }

  #lives(instance: string): boolean {
    return (this.#instances.get(instance) ?? -Infinity) > this.#clock.monotonic()
  }
}
