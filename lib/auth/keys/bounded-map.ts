/** An LRU map with a maximum size. Every operation takes constant time. */
export class BoundedMap<T> {
  // A Map iterates in insertion order.
  readonly #entries = new Map<string, T>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get(name: string): T | undefined {
    const value = this.take(name)
    if (value !== undefined) this.#entries.set(name, value)
    return value
  }

  set(name: string, value: T): void {
    this.#entries.delete(name)
    this.#entries.set(name, value)
    if (this.#entries.size <= this.#max) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }

  /** Returns a value and removes it. */
  take(name: string): T | undefined {
    const value = this.#entries.get(name)
    this.#entries.delete(name)
    return value
  }
}
