import type { Clock } from '../../clock.ts'
import { BoundedMap } from './bounded-map.ts'
import { Fetched } from './fetched.ts'
import { importKeyNamed } from './import.ts'
import { keysUnavailable, type KeyCaching, type KeySource, type TokenHeader } from './source.ts'
import type { Algorithm, ImportedKey } from './verification-key.ts'

/** How many keys are kept that have verified a token. The one that was used the longest ago is looked up anew. */
const MAX_PROVEN = 1_000
/** How many names are remembered that have not: anyone can make them up. */
const MAX_UNPROVEN = 100

/** How many searches wait at once. */
const MAX_WAITING = 20

interface Search {
  readonly begin: () => Promise<void>
  readonly refuse: (error: Error) => void
}

type Finding = Fetched<ImportedKey | undefined>

/**
 * Keys that are looked up one by one, and kept.
 *
 * Anyone can make up a `kid`. Those that no good token has named are looked up one at a time, and after one that does not
 * exist, none for an interval. A key that has verified a token is kept apart from them: whatever is made up, it goes on
 * working, and is renewed when it ages.
 */
export class KeyLookup implements KeySource {
  readonly #getKey: (header: TokenHeader) => unknown
  readonly #algorithms: readonly Algorithm[]
  readonly #caching: KeyCaching
  readonly #clock: Clock
  readonly #proven = new BoundedMap<Finding>(MAX_PROVEN)
  readonly #unproven = new BoundedMap<Finding>(MAX_UNPROVEN)
  // The one that came last is at the end.
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

  /** One at a time, the one that was asked for last first: of a flood that came before nobody may be waiting any more. */
  #search(header: TokenHeader, kid: string): Promise<ImportedKey | undefined> {
    return new Promise((resolve, reject) => {
      const begin = (): Promise<void> => this.#explore(header, kid).then(resolve, reject)
      this.#waiting.push({ begin, refuse: reject })
      if (this.#waiting.length > MAX_WAITING) {
        this.#waiting.shift()?.refuse(keysUnavailable(new Error('too many unknown keys are being looked for')))
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
    // Somebody else may have looked for it meanwhile.
    const known = this.#proven.get(kid) ?? this.#settled(kid)
    if (known !== undefined) return known.get()
    if (this.#clock.monotonic() < this.#closedUntil) {
      throw keysUnavailable(new Error('unknown keys were looked for a moment ago'))
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

/** jwks-rsa throws where other sources answer `undefined`. */
function isNotFound(error: unknown): boolean {
  return error instanceof Error && error.name === 'SigningKeyNotFoundError'
}
