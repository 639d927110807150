/** Keeps values by key. */
export interface Shelf<Value> {
  get(key: string): Promise<Value | undefined>
  /**
   * Puts in a value's place what `change` makes of it, which is asked again where somebody else was faster. Where it
   * answers `undefined`, all stays as it is.
   */
  update<Next extends Value | undefined>(key: string, change: (value: Value | undefined) => Next): Promise<Next>
}

/** Where shelves are, each with a name of its own. */
export interface Shelves {
  /** @param ttl how long a value is kept after it was last put there, in milliseconds; for ever unless told otherwise */
  shelf<Value>(name: string, ttl?: number): Shelf<Value>
}
