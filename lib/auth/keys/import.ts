import { isRecord } from '../principal.ts'
import { isHmac, importKey, type Algorithm, type ImportedKey } from './verification-key.ts'

/**
 * Imports keys by `kid`, from a record or a JWK Set (RFC 7517, section 5), into a map, in which `__proto__` and
 * `constructor` are ordinary names. Keys of a JWK Set without `kid`, not for signatures, or not for the accepted
 * algorithms are skipped.
 *
 * @throws {TypeError} for any other value, and for a JWK Set without a usable key; a bad key is passed to `onBad`,
 *   which may throw.
 */
export function importKeys(
  name: string,
  given: unknown,
  algorithms: readonly Algorithm[],
  onBad: (kid: string, error: unknown) => void,
): Map<string, ImportedKey> {
  if (!isRecord(given)) throw new TypeError(`\`${name}\` must be an object of keys by \`kid\`, or a JWK Set`)
  const keys = new Map<string, ImportedKey>()
  for (const [kid, key] of isJwkSet(given) ? usableKeys(name, given, algorithms) : Object.entries(given)) {
    try {
      keys.set(kid, importKey(`${name}.${kid}`, key, algorithms))
    } catch (error) {
      onBad(kid, error)
    }
  }
  return keys
}

/**
 * Imports the result of a key lookup: the key, a JWK Set that may have it, or `undefined`.
 *
 * @throws {TypeError} for anything else, and for an unusable key
 */
export function importKeyNamed(
  name: string,
  given: unknown,
  kid: string,
  algorithms: readonly Algorithm[],
): ImportedKey | undefined {
  if (given === undefined) return undefined
  if (!isRecord(given) || !isJwkSet(given)) return importKey(name, given, algorithms)
  const key = usableKeys(name, given, algorithms).find(([other]) => other === kid)?.[1]
  return key === undefined ? undefined : importKey(name, key, algorithms)
}

interface JwkSet {
  readonly keys: readonly unknown[]
}

function isJwkSet(given: object): given is JwkSet {
  return 'keys' in given && Array.isArray(given.keys)
}

function usableKeys(name: string, { keys }: JwkSet, algorithms: readonly Algorithm[]): [kid: string, jwk: unknown][] {
  const types = new Set(algorithms.map(keyType))
  const usable = keys.flatMap((jwk): [string, unknown][] => {
    if (!isRecord(jwk) || typeof jwk.kid !== 'string') return []
    const { kid, kty, use, key_ops: operations, alg } = jwk
    const isForSignatures = use === undefined || use === 'sig'
    const mayVerify = !Array.isArray(operations) || operations.includes('verify')
    const fits = types.has(String(kty)) && (alg === undefined || algorithms.some(algorithm => algorithm === alg))
    return isForSignatures && mayVerify && fits ? [[kid, jwk]] : []
  })
  // Otherwise every token would be refused, without a reason.
  if (usable.length === 0) {
    throw new TypeError(
      `\`${name}\` is a JWK Set without a usable key: it needs one with a \`kid\` for the accepted \`algorithms\``,
    )
  }
  return usable
}

/** The `kty` of an algorithm's keys (RFC 7518, section 6.1). */
function keyType(algorithm: Algorithm): string {
  if (isHmac(algorithm)) return 'oct'
  return algorithm.startsWith('ES') ? 'EC' : 'RSA'
}
