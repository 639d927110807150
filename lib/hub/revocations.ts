import type { KeyValueStore } from '../broker/key-value-store.ts'
import type { Clock } from '../clock.ts'
import { EventStreamError } from '../errors.ts'
import { safeError } from '../safe-error.ts'

const KEY = 'revoked:'

// What one instance writes again after a fail-over: of some hundred bytes each, and a second's work for Redis.
const MOST = 10_000

/**
 * The tokens that were revoked, kept in the store for all instances until they expire by themselves. Each instance remembers
 * those that it has revoked itself: a fail-over may have lost what Redis had acknowledged.
 */
export class Revocations {
  readonly #store: KeyValueStore
  readonly #clock: Clock
  // By token, until when it is to be remembered, by the monotonic clock.
  readonly #own = new Map<string, number>()
  #isWriting = false

  constructor(store: KeyValueStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Remembers a token for so many milliseconds. */
  async add(token: string, ttl: number): Promise<void> {
    const until = this.#clock.monotonic() + ttl
    await this.#store.set(KEY + token, '1', ttl)
    if (ttl > 0) this.#remember(token, until)
  }

  /** @throws {EventStreamError} `ERR_BROKER` when nobody can tell */
  async has(token: string): Promise<boolean> {
    if ((this.#own.get(token) ?? 0) > this.#clock.monotonic()) return true
    try {
      return (await this.#store.get(KEY + token)) !== undefined
    } catch (error) {
      if (error instanceof EventStreamError) throw safeError(error, [token])
      const cause = safeError(error, [token])
      throw new EventStreamError('ERR_BROKER', 'nobody can tell just now whether a token was revoked', { cause })
    }
  }

  /** Writes again what may have been lost. Where that fails, the store is away again, and it is called when it is back. */
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
      // The hub's `lost` event tells of the broker.
    } finally {
      this.#isWriting = false
    }
  }

  #remember(token: string, until: number): void {
    // Behind those that are older.
    this.#own.delete(token)
    this.#own.set(token, until)
    const [oldest] = this.#own.keys()
    if (this.#own.size > MOST && oldest !== undefined) this.#own.delete(oldest)
  }
}
