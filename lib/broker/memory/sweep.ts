/** Takes a look at a few entries of a map now and then, so that what has ended is removed without a timer. */
export class Sweep<Key, Value> {
  readonly #map: Map<Key, Value>
  readonly #hasEnded: (value: Value) => boolean
  #entries: MapIterator<[Key, Value]> | undefined

  constructor(map: Map<Key, Value>, hasEnded: (value: Value) => boolean) {
    this.#map = map
    this.#hasEnded = hasEnded
  }

  /** Called for each entry that is written. Two looked at for one written: the map is about twice what is alive at most. */
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
