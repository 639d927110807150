import { REMEMBERED_KEYS } from '../history-policy.ts'
import { Sweep } from './sweep.ts'

interface Published {
  readonly id: string
  readonly until: number
}

/** The keys that were published with, in this process's memory: bounded by time and by number, without a timer. */
export class PublishedKeys {
  readonly #keys = new Map<string, Published>()
  readonly #sweep = new Sweep(this.#keys, ({ until }) => until < this.#now())
  readonly #now: () => number

  /** @param now answers the time by which keys end, in milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  /** The id of the event that was published with a key. */
  idOf(key: string): string | undefined {
    const published = this.#keys.get(key)
    return published === undefined || published.until < this.#now() ? undefined : published.id
  }

  add(key: string, id: string, until: number): void {
    this.#sweep.go()
    // Taken out and put back in, it is the newest.
    this.#keys.delete(key)
    this.#keys.set(key, { id, until })
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= REMEMBERED_KEYS) break
      this.#keys.delete(oldest)
    }
  }
}
