import { AuthenticationError } from '../authentication-error.ts'
import type { Algorithm, ImportedKey } from './verification-key.ts'

/** The unverified header of a token. */
export interface TokenHeader {
  readonly alg: Algorithm
  /** `undefined` if it is absent or not a valid key name. */
  readonly kid?: string
}

/** A source of keys. */
export interface KeySource {
  /**
   * Returns the key that the header names, or `undefined` if there is none.
   *
   * @throws {AuthenticationError} `unavailable` if the keys cannot be fetched.
   */
  find(header: TokenHeader): ImportedKey | undefined | Promise<ImportedKey | undefined>
  /** Called when the key has verified a token, so its `kid` was not invented. */
  confirm?(header: TokenHeader): void
}

/** How fetched keys are kept; all in milliseconds. */
export interface KeyCaching {
  /** How long a fetched key is cached. */
  readonly maxAge: number
  /** The cooldown between lookups of unknown keys. */
  readonly interval: number
  /** The timeout of one fetch. */
  readonly timeout: number
}

/** One key for all tokens, whatever their `kid`. */
export function oneKey(key: ImportedKey): KeySource {
  return { find: () => key }
}

/** Keys known at start-up, by `kid`. */
export function keyRecord(keys: ReadonlyMap<string, ImportedKey>): KeySource {
  return { find: ({ kid }) => (kid === undefined ? undefined : keys.get(kid)) }
}

/** The error if keys cannot be fetched. */
export function keysUnavailable(cause: unknown): AuthenticationError {
  return new AuthenticationError('unavailable', 'the key to verify the token is unavailable', { cause })
}
