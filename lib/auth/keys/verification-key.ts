import { createPublicKey, createSecretKey, KeyObject } from 'node:crypto'

/** A JSON Web Key (RFC 7517, section 4). Checked on import. */
export interface JsonWebKey {
  readonly kty?: string
  readonly kid?: string
  readonly [parameter: string]: unknown
}

/** A secret for HS*, or a public key for RS*, PS* and ES*: PEM (a certificate too), DER (SPKI), a JWK or a `KeyObject`. */
export type VerificationKey = string | Buffer | KeyObject | JsonWebKey

/** An imported key for verification. */
export interface ImportedKey {
  readonly key: KeyObject
  /** The only algorithm of the key, if a JWK states one in `alg` (RFC 8725, section 3.1). */
  readonly alg: unknown
}

/** The supported signature algorithms (RFC 7518, section 3.1). `none` is not one of them. */
export const ALGORITHMS = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
] as const

export type Algorithm = (typeof ALGORITHMS)[number]

/** The minimum size of an RSA modulus, in bits (RFC 7518, sections 3.3 and 3.5). */
const MIN_RSA_BITS = 2048

/** The one curve of each algorithm (RFC 7518, section 3.4), in OpenSSL's names. */
const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }

/** Whether an algorithm is an HMAC, whose key is a secret and not a public key. */
export function isHmac(algorithm: Algorithm): boolean {
  return algorithm.startsWith('HS')
}

/**
 * Imports a `KeyObject` of the kind that the algorithms need, so that later code never guesses what the bytes are: a
 * public key used as a secret would let anyone sign.
 *
 * @throws {TypeError} for anything else, and for a key too weak for all of the algorithms. It never shows the key.
 */
export function importKey(name: string, key: unknown, algorithms: readonly Algorithm[]): ImportedKey {
  const imported = { key: importObject(name, key, algorithms), alg: isJwk(key) ? key.alg : undefined }
  const problems = algorithms.map(algorithm => misfit(imported, algorithm))
  const [problem] = problems
  if (problem !== undefined && !problems.includes(undefined)) throw new TypeError(`\`${name}\` ${problem}`)
  return imported
}

/** Returns why a key cannot verify an algorithm's signatures; `undefined` if it can. */
export function misfit({ key, alg }: ImportedKey, algorithm: Algorithm): string | undefined {
  if (alg !== undefined && alg !== algorithm) return `must be a key for ${algorithm}, not for another algorithm`
  if (isHmac(algorithm)) return secretMisfit(key, algorithm)
  if (algorithm.startsWith('ES')) return curveMisfit(key, algorithm)
  return rsaMisfit(key, algorithm)
}

// "A key of the same size as the hash output or larger MUST be used" (RFC 7518, section 3.2).
function secretMisfit(key: KeyObject, algorithm: Algorithm): string | undefined {
  const bytes = Number(algorithm.slice(2)) / 8
  if (key.type !== 'secret') return `must be a secret for ${algorithm}`
  if ((key.symmetricKeySize ?? 0) < bytes) return `must be a secret of at least ${String(bytes)} bytes for ${algorithm}`
  return undefined
}

function curveMisfit(key: KeyObject, algorithm: Algorithm): string | undefined {
  const curve = CURVES[algorithm]
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve) return undefined
  return `must be an elliptic-curve public key on ${String(curve)} for ${algorithm}`
}

function rsaMisfit(key: KeyObject, algorithm: Algorithm): string | undefined {
  // RSASSA-PSS keys have another type, which hardly any issuer uses: `PS256` works with plain RSA keys.
  if (key.asymmetricKeyType !== 'rsa') return `must be an RSA public key for ${algorithm}`
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS) return undefined
  return `must be an RSA key of at least ${String(MIN_RSA_BITS)} bits`
}

function importObject(name: string, key: unknown, algorithms: readonly Algorithm[]): KeyObject {
  if (isJwk(key)) return importJwk(name, key)
  return algorithms.some(isHmac) ? importSecret(name, key) : importPublicKey(name, key)
}

function importJwk(name: string, jwk: JsonWebKey): KeyObject {
  if (jwk.kty === 'oct')
    return importSecret(name, typeof jwk.k === 'string' ? createSecretKey(jwk.k, 'base64url') : jwk.k)
  if ('d' in jwk) throw privateKey(name)
  try {
    return createPublicKey({ key: { ...jwk }, format: 'jwk' })
  } catch {
    // Node's error could contain the key.
    throw new TypeError(`\`${name}\` must be a public key: the JWK is incomplete`)
  }
}

function importSecret(name: string, key: unknown): KeyObject {
  if (key instanceof KeyObject) return key
  if (typeof key !== 'string' && !Buffer.isBuffer(key)) throw new TypeError(`\`${name}\` must be a secret`)
  const bytes = Buffer.from(key)
  if (isPem(bytes) || parsePublicKey(bytes)) throw new TypeError(`\`${name}\` is a public or private key, not a secret`)
  if (bytes.length === 0) throw new TypeError(`\`${name}\` must not be empty`)
  return createSecretKey(bytes)
}

function importPublicKey(name: string, key: unknown): KeyObject {
  if (isPrivate(key)) throw privateKey(name)
  if (key instanceof KeyObject) return key
  const imported = typeof key === 'string' || Buffer.isBuffer(key) ? parsePublicKey(Buffer.from(key)) : undefined
  if (imported) return imported
  throw new TypeError(`\`${name}\` must be a public key: PEM, DER (SPKI), a JWK or a KeyObject`)
}

function parsePublicKey(bytes: Buffer): KeyObject | undefined {
  try {
    return isPem(bytes) ? createPublicKey(bytes) : createPublicKey({ key: bytes, format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

function isJwk(key: unknown): key is JsonWebKey {
  return typeof key === 'object' && key !== null && !(key instanceof KeyObject) && !Buffer.isBuffer(key) && 'kty' in key
}

function privateKey(name: string): TypeError {
  return new TypeError(`\`${name}\` is a private key; use the public key, verifying needs no more`)
}

function isPem(bytes: Buffer): boolean {
  return bytes.includes('-----BEGIN ')
}

function isPrivate(key: unknown): boolean {
  if (key instanceof KeyObject) return key.type === 'private'
  return (typeof key === 'string' || Buffer.isBuffer(key)) && key.includes('PRIVATE KEY-----')
}
