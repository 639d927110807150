import { isRecord } from '../principal.ts'
import { isHmac, importKey, type Algorithm, type ImportedKey } from './verification-key.ts'

/**
 * Imports keys by `kid`, from a record or a JWK Set (RFC 7517, section 5), into a map, where `__proto__` and `constructor`
 * are names like any other. Of a JWK Set those are left out that have no `kid`, are not for signatures, or are for other
 * algorithms or of another kind than the accepted ones.
 *
 * @throws {TypeError} for what is neither, and for a JWK Set of which nothing is left; a bad key goes to `onBad`, which may
 *   throw it.
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
 * Imports what a search for one key answered: the key, a JWK Set that may have it, or `undefined`.
 *
 * @throws {TypeError} for what is no key, and for one that is of no use
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
  // Every token would be refused, and nobody be told why.
  if (usable.length === 0) {
    throw new TypeError(
      `\`${name}\` is a JWK Set without a key that has a \`kid\` and verifies the accepted \`algorithms\``,
    )
  }
  return usable
}

/** The `kty` of the keys that an algorithm needs (RFC 7518, section 6.1). */
function keyType(algorithm: Algorithm): string {
  if (isHmac(algorithm)) return 'oct'
  return algorithm.startsWith('ES') ? 'EC' : 'RSA'
}
