import { callInTime } from '../../application.ts'
import type { Clock } from '../../clock.ts'
import { safeError } from '../../safe-error.ts'
import { keysUnavailable, type KeyCaching } from './source.ts'

/** How long to leave a failing key server alone, in milliseconds. */
const FAILURE_PAUSE = 1_000

/** What has to be fetched, and how long it is believed. */
export interface Fetching<T> {
  /** For messages: `` `keys` ``. */
  readonly what: string
  readonly fetch: () => unknown
  /** @throws for an answer that is of no use */
  readonly read: (answer: unknown) => T
  /** How long it is believed, in milliseconds. */
  readonly ageOf: (value: T) => number
}

/**
 * Something that a key server tells: fetched when it is asked for, once for all who ask meanwhile, believed for its age on
 * the monotonic clock, and then fetched anew. After a failure the server is left alone for a second.
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

  /** Until when that is so, on the monotonic clock; `-Infinity` before the first fetch. */
  get settledUntil(): number {
    return Math.max(this.#value?.until ?? -Infinity, this.#failure?.until ?? -Infinity)
  }

  /** When it was last fetched, or tried to be; `-Infinity` before. */
  get triedAt(): number {
    return this.#triedAt
  }

  /** Whether asking now costs no fetch: there is a value, or a failure of a moment ago. */
  get isSettled(): boolean {
    return this.#clock.monotonic() < this.settledUntil
  }

  /** Why the last fetch failed, if it did. */
  get failure(): { readonly cause: unknown } | undefined {
    return this.#failure
  }

  /** @throws {AuthenticationError} `unavailable` where there is no value that can be believed */
  async get(): Promise<T> {
    if (!this.isSettled) await this.refresh()
    if (this.#value !== undefined && this.#clock.monotonic() < this.#value.until) return this.#value.of
    throw keysUnavailable(this.#failure?.cause)
  }

  /** Fetches it though there may be a value, which stays where that fails. */
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
