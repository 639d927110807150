import type { KeyObject } from 'node:crypto'
import { callInTime } from '../../application.ts'
import type { Clock } from '../../clock.ts'
import {
  FAILURE_PAUSE,
  importKeys,
  keysUnavailable,
  type KeyCaching,
  type KeySource,
  type TokenHeader,
} from './source.ts'
import type { Algorithm } from './verification-key.ts'

/**
 * A whole set of keys that is fetched together, as a JWKS is.
 *
 * An unknown `kid` causes one fetch an interval however many are asked for, since one fetch tells about all of them,
 * and the keys of the set go on working meanwhile.
 */
export class FetchedKeys implements KeySource {
  readonly #fetch: () => unknown
  readonly #algorithms: readonly Algorithm[]
  readonly #caching: KeyCaching
  readonly #clock: Clock
  #keys: ReadonlyMap<string, KeyObject> = new Map()
  #badKeys: ReadonlyMap<string, unknown> = new Map()
  #fetchedAt = -Infinity
  #failedAt = -Infinity
  #failure: unknown
  #fetching: Promise<void> | undefined

  constructor(fetch: () => unknown, algorithms: readonly Algorithm[], caching: KeyCaching, clock: Clock) {
    this.#fetch = fetch
    this.#algorithms = algorithms
    this.#caching = caching
    this.#clock = clock
  }

  async find({ kid }: TokenHeader): Promise<KeyObject | undefined> {
    if (kid === undefined) return undefined
    if (this.#isDue(kid)) await this.#refresh()
    if (!this.#isFresh()) throw keysUnavailable(this.#failure)
    if (this.#badKeys.has(kid)) throw keysUnavailable(this.#badKeys.get(kid))
    const key = this.#keys.get(kid)
    // The set could have a new key that we failed to hear of.
    if (key === undefined && this.#failedAt > this.#fetchedAt) throw keysUnavailable(this.#failure)
    return key
  }

  #isFresh(): boolean {
    return this.#clock.monotonic() - this.#fetchedAt < this.#caching.maxAge
  }

  #isDue(kid: string): boolean {
    const now = this.#clock.monotonic()
    if (now - this.#failedAt < FAILURE_PAUSE) return false
    if (!this.#isFresh()) return true
    return !this.#keys.has(kid) && now - Math.max(this.#fetchedAt, this.#failedAt) >= this.#caching.interval
  }

  #refresh(): Promise<void> {
    this.#fetching ??= this.#fetchAll().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetchAll(): Promise<void> {
    try {
      const limit = { clock: this.#clock, ms: this.#caching.timeout, what: '`keys`' }
      const record = await callInTime(limit, () => this.#fetch())
      const badKeys = new Map<string, unknown>()
      this.#keys = importKeys('keys', record, this.#algorithms, (kid, error) => badKeys.set(kid, error))
      this.#badKeys = badKeys
      this.#fetchedAt = this.#clock.monotonic()
    } catch (error) {
      this.#failure = error
      this.#failedAt = this.#clock.monotonic()
    }
  }
}
