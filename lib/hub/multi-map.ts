/** A map with several values per key. A key with a single value, the common case, needs no `Set`. */
export class MultiMap<Key, Value extends object> {
  readonly #entries = new Map<Key, Value | Set<Value>>()

  /** The number of keys. */
  get size(): number {
    return this.#entries.size
  }

  /** Adds a value. Returns whether it is the key's first. */
  add(key: Key, value: Value): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#entries.set(key, value)
      return true
    }
    if (entry instanceof Set) entry.add(value)
    else if (entry !== value) this.#entries.set(key, new Set([entry, value]))
    return false
  }

  /** Removes a value. Returns whether it was the key's last. */
  delete(key: Key, value: Value): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    if (entry instanceof Set) {
      entry.delete(value)
      if (entry.size > 0) return false
    } else if (entry !== value) return false
    return this.#entries.delete(key)
  }

  /** The number of values of a key. */
  count(key: Key): number {
    const entry = this.#entries.get(key)
    if (entry === undefined) return 0
    return entry instanceof Set ? entry.size : 1
  }

  /** Whether some value of a key passes the test. */
  some(key: Key, test: (value: Value) => boolean): boolean {
    const entry = this.#entries.get(key)
    if (!(entry instanceof Set)) return entry !== undefined && test(entry)
    for (const value of entry) if (test(value)) return true
    return false
  }

  /** Calls back with each key and its number of values. */
  eachKey(visit: (key: Key, count: number) => void): void {
    this.#entries.forEach((entry, key) => {
      visit(key, entry instanceof Set ? entry.size : 1)
    })
  }

  /** Calls back with each value of a key. */
  each(key: Key, visit: (value: Value) => void): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    if (entry instanceof Set) entry.forEach(visit)
    else visit(entry)
  }
}
