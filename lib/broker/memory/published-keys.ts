import { REMEMBERED_KEYS } from '../history-policy.ts'
import { Sweep } from './sweep.ts'

interface Published {
  readonly id: string
  readonly until: number
}

/** Idempotency keys in this process's memory: bounded by time and number, without a timer. */
export class PublishedKeys {
  readonly #keys = new Map<string, Published>()
  readonly #sweep = new Sweep(this.#keys, ({ until }) => until < this.#now())
  readonly #now: () => number

  /** @param now returns the time by which keys expire, in milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** The id of the event published with a key. */
  idOf(key: string): string | undefined {
    const published = this.#keys.get(key)
    return published === undefined || published.until < this.#now() ? undefined : published.id
  }

  add(key: string, id: string, until: number): void {
    this.#sweep.go()
    // Reinserting makes it the newest.
    this.#keys.delete(key)
    this.#keys.set(key, { id, until })
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= REMEMBERED_KEYS) break
      this.#keys.delete(oldest)
    }
  }
}
