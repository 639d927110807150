import type { Clock } from '../../clock.ts'
import { BoundedMap } from './bounded-map.ts'
import { Fetched } from './fetched.ts'
import { importKeyNamed } from './import.ts'
import { keysUnavailable, type KeyCaching, type KeySource, type TokenHeader } from './source.ts'
import type { Algorithm, ImportedKey } from './verification-key.ts'

/** How many proven keys are cached: keys that have verified a token. The least recently used is dropped. */
const MAX_PROVEN = 1_000
/** How many unproven `kid`s are cached: anyone can invent them. */
const MAX_UNPROVEN = 100

/** How many lookups may wait at once. */
const MAX_WAITING = 20

interface Search {
  readonly begin: () => Promise<void>
  readonly refuse: (error: Error) => void
}

type Finding = Fetched<ImportedKey | undefined>

/**
 * Keys that are looked up one by one, and cached.
 *
 * Anyone can invent a `kid`. Unproven ones are looked up one at a time; after a lookup that finds nothing, none is made
 * for an interval. A key that has verified a token is cached apart from them: a flood of invented `kid`s cannot evict
 * it, and it is renewed when it ages.
 */
export class KeyLookup implements KeySource {
  readonly #getKey: (header: TokenHeader) => unknown
  readonly #algorithms: readonly Algorithm[]
  readonly #caching: KeyCaching
  readonly #clock: Clock
  readonly #proven = new BoundedMap<Finding>(MAX_PROVEN)
  readonly #unproven = new BoundedMap<Finding>(MAX_UNPROVEN)
  // The newest is at the end.
  readonly #waiting: Search[] = []
  #isSearching = false
  #closedUntil = -Infinity

  constructor(
    getKey: (header: TokenHeader) => unknown,
    algorithms: readonly Algorithm[],
    caching: KeyCaching,
    clock: Clock,
  ) {
    this.#getKey = getKey
    this.#algorithms = algorithms
    this.#caching = caching
    this.#clock = clock
  }

  async find(header: TokenHeader): Promise<ImportedKey | undefined> {
    const { kid } = header
    if (kid === undefined) return undefined
    const known = this.#proven.get(kid) ?? this.#settled(kid)
    return known === undefined ? this.#search(header, kid) : known.get()
  }

  confirm({ kid }: TokenHeader): void {
    const finding = kid === undefined ? undefined : this.#unproven.take(kid)
    if (kid !== undefined && finding !== undefined) this.#proven.set(kid, finding)
  }

  #settled(kid: string): Finding | undefined {
    const finding = this.#unproven.get(kid)
    return finding?.isSettled === true ? finding : undefined
  }

  /** One at a time, the newest first: in a flood, earlier callers may have given up already. */
  #search(header: TokenHeader, kid: string): Promise<ImportedKey | undefined> {
    return new Promise((resolve, reject) => {
      const begin = (): Promise<void> => this.#explore(header, kid).then(resolve, reject)
      this.#waiting.push({ begin, refuse: reject })
      if (this.#waiting.length > MAX_WAITING) {
        this.#waiting.shift()?.refuse(keysUnavailable(new Error('too many lookups of unknown keys')))
      }
      void this.#searchNext()
    })
  }

  async #searchNext(): Promise<void> {
    if (this.#isSearching) return
    this.#isSearching = true
    for (let search = this.#waiting.pop(); search !== undefined; search = this.#waiting.pop()) await search.begin()
    this.#isSearching = false
  }

  async #explore(header: TokenHeader, kid: string): Promise<ImportedKey | undefined> {
    // A concurrent lookup may have found it.
    const known = this.#proven.get(kid) ?? this.#settled(kid)
    if (known !== undefined) return known.get()
    if (this.#clock.monotonic() < this.#closedUntil) {
      throw keysUnavailable(new Error('a recent lookup of an unknown key failed; retrying after the cooldown'))
    }
    const finding = this.#finding(header, kid)
    this.#unproven.set(kid, finding)
    try {
      const key = await finding.get()
      if (key === undefined) this.#closedUntil = finding.settledUntil
      return key
    } catch (error) {
      this.#closedUntil = finding.settledUntil
      throw error
    }
  }

  #finding(header: TokenHeader, kid: string): Finding {
    const { interval, maxAge } = this.#caching
    return new Fetched(
      {
        what: '`getKey`',
        fetch: () => this.#ask(header),
        read: answer => importKeyNamed('getKey', answer, kid, this.#algorithms),
        ageOf: key => (key === undefined ? interval : maxAge),
      },
      this.#caching,
      this.#clock,
    )
  }

  async #ask(header: TokenHeader): Promise<unknown> {
    try {
      return await this.#getKey(header)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
}

/** jwks-rsa throws if there is no such key; other sources return `undefined`. */
function isNotFound(error: unknown): boolean {
  return error instanceof Error && error.name === 'SigningKeyNotFoundError'
}
