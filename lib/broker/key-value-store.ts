/** Small values with an end, shared by all instances. Keys are the package's own, values are short strings. */
export interface KeyValueStore {
  /** Remembers a value for so many milliseconds. */
  set(key: string, value: string, ttl: number): Promise<void>
  get(key: string): Promise<string | undefined>
  /** Reads a value and removes it, in one step: of any number of callers one gets it. */
  take(key: string): Promise<string | undefined>
}
