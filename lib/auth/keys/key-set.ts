import type { Clock } from '../../clock.ts'
import { Fetched } from './fetched.ts'
import { importKeys } from './import.ts'
import { keysUnavailable, type KeyCaching, type KeySource, type TokenHeader } from './source.ts'
import type { Algorithm, ImportedKey } from './verification-key.ts'

/** The keys of a set by `kid`, and the errors of unusable ones. */
interface KeySet {
  readonly keys: ReadonlyMap<string, ImportedKey>
  readonly bad: ReadonlyMap<string, unknown>
}

/**
 * A whole set of keys that is fetched together, such as a JWKS.
 *
 * Unknown `kid`s cause at most one fetch per interval, since one fetch covers all of them; the cached keys keep working
 * meanwhile. Unknown `kid`s are not cached.
 */
export class FetchedKeySet implements KeySource {
  readonly #set: Fetched<KeySet>
  readonly #interval: number
  readonly #clock: Clock

  constructor(fetch: () => unknown, algorithms: readonly Algorithm[], caching: KeyCaching, clock: Clock) {
    const read = (answer: unknown): KeySet => {
      const bad = new Map<string, unknown>()
      return { keys: importKeys('keys', answer, algorithms, (kid, error) => bad.set(kid, error)), bad }
    }
    this.#set = new Fetched({ what: '`keys`', fetch, read, ageOf: () => caching.maxAge }, caching, clock)
    this.#interval = caching.interval
    this.#clock = clock
  }

  async find({ kid }: TokenHeader): Promise<ImportedKey | undefined> {
    if (kid === undefined) return undefined
    const known = await this.#set.get()
    if (!known.keys.has(kid) && this.#clock.monotonic() - this.#set.triedAt >= this.#interval) await this.#set.refresh()
    const { keys, bad } = await this.#set.get()
    if (bad.has(kid)) throw keysUnavailable(bad.get(kid))
    const key = keys.get(kid)
    // The last fetch failed, so the set may have a new key.
    if (key === undefined && this.#set.failure !== undefined) throw keysUnavailable(this.#set.failure.cause)
    return key
  }
}
