import { AuthenticationError } from '../authentication-error.ts'
import type { Algorithm, ImportedKey } from './verification-key.ts'

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
  find(header: TokenHeader): ImportedKey | undefined | Promise<ImportedKey | undefined>
  /** Hears that the key of a header has verified the token: nobody has made that header up. */
  confirm?(header: TokenHeader): void
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

/** One key for all tokens, whatever `kid` they name. */
export function oneKey(key: ImportedKey): KeySource {
  return { find: () => key }
}

/** Keys that are all there at start-up, by `kid`. */
export function keyRecord(keys: ReadonlyMap<string, ImportedKey>): KeySource {
  return { find: ({ kid }) => (kid === undefined ? undefined : keys.get(kid)) }
}

/** The refusal where the keys could not be had. */
export function keysUnavailable(cause: unknown): AuthenticationError {
  return new AuthenticationError('unavailable', 'the key to verify the token with could not be had', { cause })
}
