import { callInTime } from '../../application.ts'
import type { Clock } from '../../clock.ts'
import { safeError } from '../../safe-error.ts'
import { keysUnavailable, type KeyCaching } from './source.ts'

/** The back-off after a failed fetch, in milliseconds. */
const FAILURE_PAUSE = 1_000

/** What to fetch, and how long it is cached. */
export interface Fetching<T> {
  /** For messages: `` `keys` ``. */
  readonly what: string
  readonly fetch: () => unknown
  /** @throws for an unusable answer */
  readonly read: (answer: unknown) => T
  /** How long it is cached, in milliseconds. */
  readonly ageOf: (value: T) => number
}

/**
 * A cached value from a key server: fetched on demand, once for all concurrent callers, cached for its age on the
 * monotonic clock, then fetched again. After a failure no fetch is made for one second.
 */
export class Fetched<T> {
  readonly #fetching: Fetching<T>
  readonly #timeout: number
  readonly #clock: Clock
  #value: { readonly of: T; readonly until: number } | undefined
  #failure: { readonly cause: unknown; readonly until: number } | undefined
  #triedAt = -Infinity
  #running: Promise<void> | undefined

  constructor(fetching: Fetching<T>, { timeout }: KeyCaching, clock: Clock) {
    this.#fetching = fetching
    this.#timeout = timeout
    this.#clock = clock
  }

  /** When the cached value or failure expires, on the monotonic clock; `-Infinity` before the first fetch. */
  get settledUntil(): number {
    return Math.max(this.#value?.until ?? -Infinity, this.#failure?.until ?? -Infinity)
  }

  /** The time of the last fetch, successful or not; `-Infinity` before the first. */
  get triedAt(): number {
    return this.#triedAt
  }

  /** Whether `get()` needs no fetch: a value or a recent failure is cached. */
  get isSettled(): boolean {
    return this.#clock.monotonic() < this.settledUntil
  }

  /** The error of the last fetch, if it failed. */
  get failure(): { readonly cause: unknown } | undefined {
    return this.#failure
  }

  /** @throws {AuthenticationError} `unavailable` if there is no cached value and the fetch fails */
  async get(): Promise<T> {
    if (!this.isSettled) await this.refresh()
    if (this.#value !== undefined && this.#clock.monotonic() < this.#value.until) return this.#value.of
    throw keysUnavailable(this.#failure?.cause)
  }

  /** Fetches even if a value is cached; the cached value is kept if that fails. */
  refresh(): Promise<void> {
    this.#running ??= this.#fetch().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #fetch(): Promise<void> {
    const { what, fetch, read, ageOf } = this.#fetching
    try {
      const of = read(await callInTime({ clock: this.#clock, ms: this.#timeout, what }, fetch))
      this.#value = { of, until: this.#clock.monotonic() + ageOf(of) }
      this.#failure = undefined
    } catch (cause) {
      this.#failure = { cause: safeError(cause), until: this.#clock.monotonic() + FAILURE_PAUSE }
    }
    this.#triedAt = this.#clock.monotonic()
  }
}
