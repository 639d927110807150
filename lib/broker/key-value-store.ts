/** Small values with a TTL, shared by all instances. Keys are chosen by the package, values are short strings. */
export interface KeyValueStore {
  /** Stores a value for `ttl` milliseconds. */
  set(key: string, value: string, ttl: number): Promise<void>
  get(key: string): Promise<string | undefined>
  /** Reads and removes a value atomically: only one of concurrent callers gets it. */
  take(key: string): Promise<string | undefined>
}
