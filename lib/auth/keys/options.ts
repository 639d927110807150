import type { Clock } from '../../clock.ts'
import { duration, fn, invalid } from '../../options.ts'
import { importKeys } from './import.ts'
import { FetchedKeySet } from './key-set.ts'
import { KeyLookup } from './lookup.ts'
import { keyRecord, oneKey, type KeyCaching, type KeySource, type TokenHeader } from './source.ts'
import { importKey, misfit, type Algorithm, type JsonWebKey, type VerificationKey } from './verification-key.ts'

/** The default cooldown between lookups of unknown keys: 30 seconds, in milliseconds. */
export const DEFAULT_KEY_COOLDOWN = 30_000
/** The default time that fetched keys are cached: 10 minutes, in milliseconds. */
export const DEFAULT_KEY_CACHE_MAX_AGE = 600_000
/** The default timeout of a key fetch: 5 seconds, in milliseconds. */
export const DEFAULT_KEY_TIMEOUT = 5_000

/** Keys by their `kid`. */
export type KeyRecord = Readonly<Record<string, VerificationKey>>

/** A JWK Set, as key servers publish it (RFC 7517, section 5). */
export interface JsonWebKeySet {
  readonly keys: readonly JsonWebKey[]
}

/** The source of keys: exactly one of `key`, `keys` and `getKey`. */
export interface KeyOptions {
  /** A single key: a secret for HS*, a public key for the others. */
  key?: VerificationKey
  /**
   * The keys by `kid`, or a JWK Set; or a function that fetches one of the two, called again as they age. The result is
   * checked at run time, so that a key server's JSON may be returned as it is. Keys of a JWK Set are used if they have
   * a `kid` and are for signatures by one of `algorithms`.
   */
  keys?: KeyRecord | JsonWebKeySet | (() => KeyRecord | JsonWebKeySet | Promise<unknown>)
  /**
   * Looks up the key that a token names: returns the key, or a JWK Set that has it; `undefined` if the key does not
   * exist (jwks-rsa's `SigningKeyNotFoundError` means the same). Rejects if the key cannot be fetched. Caches at most
   * 1,000 keys that have verified a token. Prefer `keys` if the whole set is available: with it, invented `kid`s cannot
   * delay a new key.
   */
  getKey?: (header: TokenHeader) => VerificationKey | JsonWebKeySet | undefined | Promise<unknown>
  /** Cooldown between lookups of unknown keys, in milliseconds. Default: 30 s. */
  keyCooldown?: number
  /** How long a fetched key is cached, in milliseconds; at least `keyCooldown`. Default: 10 min. */
  keyCacheMaxAge?: number
  /** The timeout of a key fetch, in milliseconds. Default: 5 s. */
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
    throw new TypeError('set exactly one of `key`, `keys` and `getKey`')
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
    // Otherwise expiry of the set would cause fetches more often than the cooldown allows.
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
