/** Removes expired entries of a map incrementally, without a timer. */
export class Sweep<Key, Value> {
  readonly #map: Map<Key, Value>
  readonly #hasEnded: (value: Value) => boolean
  #entries: MapIterator<[Key, Value]> | undefined

  constructor(map: Map<Key, Value>, hasEnded: (value: Value) => boolean) {
    this.#map = map
    this.#hasEnded = hasEnded
  }

  /**
   * Called for each write. It checks two entries per write, so the map has at most about twice as many as are alive.
   */
  go(): void {
    for (let looked = 0; looked < 2; looked += 1) {
      this.#entries ??= this.#map.entries()
      const next = this.#entries.next()
      if (next.done === true) {
        this.#entries = undefined
        return
      }
      const [key, value] = next.value
      if (this.#hasEnded(value)) this.#map.delete(key)
    }
  }
}
