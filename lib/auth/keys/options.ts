import type { Clock } from '../../clock.ts'
import { duration, fn, invalid } from '../../options.ts'
import { importKeys } from './import.ts'
import { FetchedKeySet } from './key-set.ts'
import { KeyLookup } from './lookup.ts'
import { keyRecord, oneKey, type KeyCaching, type KeySource, type TokenHeader } from './source.ts'
import { importKey, misfit, type Algorithm, type JsonWebKey, type VerificationKey } from './verification-key.ts'

/** The least time between two searches for unknown keys: 30 seconds, in milliseconds. */
export const DEFAULT_KEY_COOLDOWN = 30_000
/** How long a fetched key is believed: 10 minutes, in milliseconds. */
export const DEFAULT_KEY_CACHE_MAX_AGE = 600_000
/** How long fetching keys may take: 5 seconds, in milliseconds. */
export const DEFAULT_KEY_TIMEOUT = 5_000

/** Keys by their `kid`. */
export type KeyRecord = Readonly<Record<string, VerificationKey>>

/** A JWK Set, as key servers publish it (RFC 7517, section 5). */
export interface JsonWebKeySet {
  readonly keys: readonly JsonWebKey[]
}

/** Where keys come from: exactly one of `key`, `keys` and `getKey`. */
export interface KeyOptions {
  /** The one key: a secret for HS*, a public key for the others. */
  key?: VerificationKey
  /**
   * The keys by `kid`, or a JWK Set; or a function that fetches one of the two, and is asked again as they age. What it
   * answers is checked when it comes, so that the JSON of a key server may be handed on as it is. Of a JWK Set those keys
   * are used that have a `kid` and are for signatures by one of `algorithms`.
   */
  keys?: KeyRecord | JsonWebKeySet | (() => KeyRecord | JsonWebKeySet | Promise<unknown>)
  /**
   * Looks up the key that a token names: it answers the key, or a JWK Set to look for it in. It answers `undefined` for a
   * key that does not exist (jwks-rsa's `SigningKeyNotFoundError` means the same) and rejects when it cannot tell. At
   * most 1,000 keys are kept that have verified a token. Prefer `keys` where the whole set can be had at once: with it,
   * made-up key names cannot delay a new key.
   */
  getKey?: (header: TokenHeader) => VerificationKey | JsonWebKeySet | undefined | Promise<unknown>
  /** The least time between two searches for keys that nobody knows, in milliseconds. Default: 30 s. */
  keyCooldown?: number
  /** How long a fetched key is believed, in milliseconds; at least `keyCooldown`. Default: 10 min. */
  keyCacheMaxAge?: number
  /** How long fetching keys may take, in milliseconds. Default: 5 s. */
  keyTimeout?: number
}

export const KEY_OPTIONS = [
  'key',
  'keys',
  'getKey',
  'keyCooldown',
  'keyCacheMaxAge',
  'keyTimeout',
] as const satisfies readonly (keyof KeyOptions)[]

export function checkKeyTimeout({ keyTimeout }: KeyOptions): number {
  return duration('keyTimeout', keyTimeout, { default: DEFAULT_KEY_TIMEOUT })
}

/** @throws {TypeError} that names the option that is wrong; it never shows a key. */
export function checkKeyOptions(options: KeyOptions, algorithms: readonly Algorithm[], clock: Clock): KeySource {
  const { key, keys, getKey } = options
  if ([key, keys, getKey].filter(source => source !== undefined).length !== 1) {
    throw new TypeError('exactly one of `key`, `keys` and `getKey` is needed')
  }
  const caching = checkCaching(options)
  if (typeof keys === 'function') return new FetchedKeySet(keys, algorithms, caching, clock)
  if (keys !== undefined) return staticKeys(keys, algorithms)
  if (key !== undefined) return staticKey(key, algorithms)
  return new KeyLookup(fn('getKey', getKey), algorithms, caching, clock)
}

function checkCaching(options: KeyOptions): KeyCaching {
  const interval = duration('keyCooldown', options.keyCooldown, { default: DEFAULT_KEY_COOLDOWN })
  return {
    interval,
    // Else the ageing of the set would search for made-up keys more often than the interval allows.
    maxAge: duration('keyCacheMaxAge', options.keyCacheMaxAge, {
      min: interval,
      default: Math.max(interval, DEFAULT_KEY_CACHE_MAX_AGE),
    }),
    timeout: checkKeyTimeout(options),
  }
}

function staticKey(key: VerificationKey, algorithms: readonly Algorithm[]): KeySource {
  const imported = importKey('key', key, algorithms)
  for (const algorithm of algorithms) {
    const problem = misfit(imported, algorithm)
    if (problem !== undefined) throw new TypeError(`\`key\` ${problem}`)
  }
  return oneKey(imported)
}

function staticKeys(keys: KeyRecord | JsonWebKeySet, algorithms: readonly Algorithm[]): KeySource {
  const imported = importKeys('keys', keys, algorithms, (_kid, error) => {
    throw error
  })
  if (imported.size === 0) throw invalid('keys', 'at least one key by `kid`', keys)
  return keyRecord(imported)
}
