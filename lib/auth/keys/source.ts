import type { KeyObject } from 'node:crypto'
import { AuthenticationError } from '../authentication-error.ts'
import { isRecord } from '../principal.ts'
import { importKey, type Algorithm } from './verification-key.ts'

/** What a token says of its key. Nothing in it is proven. */
export interface TokenHeader {
  readonly alg: Algorithm
  /** `undefined` where it is absent or no sane name of a key. */
  readonly kid?: string
}

/** Where the keys come from. */
export interface KeySource {
  /**
   * Answers the key that the header names, or `undefined` where there is none.
   *
   * @throws {AuthenticationError} `unavailable` when nobody can tell just now.
   */
  find(header: TokenHeader): KeyObject | undefined | Promise<KeyObject | undefined>
}

/** How fetched keys are kept; all in milliseconds. */
export interface KeyCaching {
  /** How long a fetched key is believed. */
  readonly maxAge: number
  /** The least time between two searches for keys that nobody knows. */
  readonly interval: number
  /** How long one fetch may take. */
  readonly timeout: number
}

/** How long to leave a failing key server alone, in milliseconds. */
export const FAILURE_PAUSE = 1_000

/** One key for all tokens, whatever `kid` they name. */
export function oneKey(key: KeyObject): KeySource {
  return { find: () => key }
}

/** Keys that are all there at start-up, by `kid`. */
export function keyRecord(keys: ReadonlyMap<string, KeyObject>): KeySource {
  return { find: ({ kid }) => (kid === undefined ? undefined : keys.get(kid)) }
}

/**
 * Imports a record of keys into a map, where `__proto__` and `constructor` are names like any other.
 *
 * @throws {TypeError} for what is no record; a bad key goes to `onBad`, which may throw it.
 */
export function importKeys(
  name: string,
  record: unknown,
  algorithms: readonly Algorithm[],
  onBad: (kid: string, error: unknown) => void,
): Map<string, KeyObject> {
  if (!isRecord(record)) throw new TypeError(`\`${name}\` must be an object of keys by \`kid\``)
  const keys = new Map<string, KeyObject>()
  for (const [kid, key] of Object.entries(record)) {
    try {
      keys.set(kid, importKey(`${name}.${kid}`, key, algorithms))
    } catch (error) {
      onBad(kid, error)
    }
  }
  return keys
}

/** The refusal where the keys could not be had. */
export function keysUnavailable(cause: unknown): AuthenticationError {
  return new AuthenticationError('unavailable', 'the key to verify the token with could not be had', { cause })
}
