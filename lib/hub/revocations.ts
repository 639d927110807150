import type { KeyValueStore } from '../broker/key-value-store.ts'
import type { Clock } from '../clock.ts'
import { EventStreamError } from '../errors.ts'
import { safeError } from '../safe-error.ts'

const KEY = 'revoked:'

// The most that one instance stores again after a fail-over: some hundred bytes each, and a second's work for Redis.
const MOST = 10_000

/**
 * The revoked tokens, in the store for all instances until they expire. Each instance also keeps those it has revoked
 * itself in memory: a fail-over may lose what Redis had acknowledged.
 */
export class Revocations {
  readonly #store: KeyValueStore
  readonly #clock: Clock
  // When each token expires, by the monotonic clock.
  readonly #own = new Map<string, number>()
  #isWriting = false

  constructor(store: KeyValueStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Stores a token for `ttl` milliseconds. */
  async add(token: string, ttl: number): Promise<void> {
    const until = this.#clock.monotonic() + ttl
    await this.#store.set(KEY + token, '1', ttl)
    if (ttl > 0) this.#remember(token, until)
  }

  /** @throws {EventStreamError} `ERR_BROKER`, as a rejection: the store is unavailable */
  async has(token: string): Promise<boolean> {
    if ((this.#own.get(token) ?? 0) > this.#clock.monotonic()) return true
    try {
      return (await this.#store.get(KEY + token)) !== undefined
    } catch (error) {
      if (error instanceof EventStreamError) throw safeError(error, [token])
      const cause = safeError(error, [token])
      throw new EventStreamError('ERR_BROKER', 'cannot check whether a token was revoked: the store failed', { cause })
    }
  }

  /**
   * Stores again what may have been lost. If that fails, the store is gone again, and this is called once it is back.
   */
  async restore(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    try {
      for (const [token, until] of this.#own) {
        const left = until - this.#clock.monotonic()
        if (left > 0) await this.#store.set(KEY + token, '1', left)
        else this.#own.delete(token)
      }
    } catch {
      // The hub's `lost` event reports it.
    } finally {
      this.#isWriting = false
    }
  }

  #remember(token: string, until: number): void {
    // Move it to the end of the order.
    this.#own.delete(token)
    this.#own.set(token, until)
    const [oldest] = this.#own.keys()
    if (this.#own.size > MOST && oldest !== undefined) this.#own.delete(oldest)
  }
}
