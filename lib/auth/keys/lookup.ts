import type { KeyObject } from 'node:crypto'
import { callInTime } from '../../application.ts'
import type { Clock } from '../../clock.ts'
import { FAILURE_PAUSE, keysUnavailable, type KeyCaching, type KeySource, type TokenHeader } from './source.ts'
import { importKey, type Algorithm } from './verification-key.ts'

/** What the last look for a `kid` gave: a key, nothing, or a failure. */
interface Finding {
  readonly key?: KeyObject
  readonly failure?: { readonly cause: unknown }
  /** Whether this `kid` has once had a key. */
  readonly isProven: boolean
  /** Until when this is believed, in milliseconds since 1970. */
  readonly until: number
}

/**
 * Keys that are looked up one by one, and kept.
 *
 * Anyone can make up a `kid`, so those never seen with a key are looked up one at a time, and after one that does not
 * exist, none for an interval. Keys that are known go on working, and are renewed, meanwhile.
 */
export class KeyLookup implements KeySource {
  readonly #getKey: (header: TokenHeader) => unknown
  readonly #algorithms: readonly Algorithm[]
  readonly #caching: KeyCaching
  readonly #clock: Clock
  readonly #findings = new Map<string, Finding>()
  readonly #renewals = new Map<string, Promise<Finding>>()
  #discovery: Promise<Finding> | undefined
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

  async find(header: TokenHeader): Promise<KeyObject | undefined> {
    const { kid } = header
    if (kid === undefined) return undefined
    const { key, failure } = this.#believed(kid) ?? (await this.#look(header, kid))
    if (failure) throw keysUnavailable(failure.cause)
    return key
  }

  #believed(kid: string): Finding | undefined {
    const finding = this.#findings.get(kid)
    return finding && this.#clock.monotonic() < finding.until ? finding : undefined
  }

  #look(header: TokenHeader, kid: string): Promise<Finding> {
    return this.#findings.get(kid)?.isProven ? this.#renew(header, kid) : this.#discover(header, kid)
  }

  #renew(header: TokenHeader, kid: string): Promise<Finding> {
    const running = this.#renewals.get(kid)
    if (running) return running
    const renewal = this.#lookUp(header, kid).finally(() => this.#renewals.delete(kid))
    this.#renewals.set(kid, renewal)
    return renewal
  }

  async #discover(header: TokenHeader, kid: string): Promise<Finding> {
    while (this.#discovery) await this.#discovery
    const found = this.#believed(kid)
    if (found) return found
    if (this.#clock.monotonic() < this.#closedUntil) {
      throw keysUnavailable(new Error('unknown keys were looked for a moment ago'))
    }
    this.#discovery = this.#explore(header, kid).finally(() => {
      this.#discovery = undefined
    })
    return this.#discovery
  }

  async #explore(header: TokenHeader, kid: string): Promise<Finding> {
    const finding = await this.#lookUp(header, kid)
    if (!finding.key) this.#closedUntil = finding.until
    return finding
  }

  async #lookUp(header: TokenHeader, kid: string): Promise<Finding> {
    const finding = await this.#ask(header, this.#findings.get(kid)?.isProven ?? false)
    this.#forgetMadeUpNames()
    this.#findings.set(kid, finding)
    return finding
  }

  async #ask(header: TokenHeader, isProven: boolean): Promise<Finding> {
    try {
      const limit = { clock: this.#clock, ms: this.#caching.timeout, what: '`getKey`' }
      const key = await callInTime(limit, () => this.#getKey(header))
      if (key === undefined) return this.#missing()
      const imported = importKey('getKey', key, this.#algorithms)
      return { key: imported, isProven: true, until: this.#clock.monotonic() + this.#caching.maxAge }
    } catch (cause) {
      if (isNotFound(cause)) return this.#missing()
      return { failure: { cause }, isProven, until: this.#clock.monotonic() + FAILURE_PAUSE }
    }
  }

  #missing(): Finding {
    return { isProven: false, until: this.#clock.monotonic() + this.#caching.interval }
  }

  #forgetMadeUpNames(): void {
    const now = this.#clock.monotonic()
    for (const [kid, { isProven, until }] of this.#findings) {
      if (!isProven && until <= now) this.#findings.delete(kid)
    }
  }
}

/** jwks-rsa throws where other sources answer `undefined`. */
function isNotFound(error: unknown): boolean {
  return error instanceof Error && error.name === 'SigningKeyNotFoundError'
}
