/** Keeps values by key. */
export interface Shelf<Value> {
  get(key: string): Promise<Value | undefined>
  /** Puts in a value's place what `change` makes of it, which is asked again where somebody else was faster. */
  update(key: string, change: (value: Value | undefined) => Value): Promise<Value>
}

/** Where shelves are, each with a name of its own. */
export interface Shelves {
  shelf<Value>(name: string): Shelf<Value>
  close(): void
}
