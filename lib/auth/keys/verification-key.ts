import { createPublicKey, createSecretKey, KeyObject } from 'node:crypto'

/** A secret for HS*, or a public key for RS*, PS* and ES*: PEM (a certificate too), DER (SPKI) or a `KeyObject`. */
export type VerificationKey = string | Buffer | KeyObject

/** What a token may be signed with (RFC 7518, section 3.1). `none` is not among them. */
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

/** The fewest bits of an RSA modulus (RFC 7518, sections 3.3 and 3.5). */
const MIN_RSA_BITS = 2048

/** The one curve of each algorithm (RFC 7518, section 3.4), in OpenSSL's names. */
const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' }

/** Whether an algorithm is an HMAC, whose key is a secret and not a public key. */
export function isHmac(algorithm: Algorithm): boolean {
  return algorithm.startsWith('HS')
}

/**
 * Makes a `KeyObject` of the kind that the algorithms need, so that nobody has to guess later what the bytes are: a
 * public key taken for a secret lets anyone sign.
 *
 * @throws {TypeError} for anything else, and for a key too weak for every one of the algorithms. It never shows the key.
 */
export function importKey(name: string, key: unknown, algorithms: readonly Algorithm[]): KeyObject {
  const imported = algorithms.some(isHmac) ? importSecret(name, key) : importPublicKey(name, key)
  const problems = algorithms.map(algorithm => misfit(imported, algorithm))
  const [problem] = problems
  if (problem !== undefined && !problems.includes(undefined)) throw new TypeError(`\`${name}\` ${problem}`)
  return imported
}

/** Says why a key cannot verify what an algorithm signed; `undefined` if it can. */
export function misfit(key: KeyObject, algorithm: Algorithm): string | undefined {
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
  // Keys bound to RSASSA-PSS are another type, which hardly any issuer uses: `PS256` goes with plain RSA keys.
  if (key.asymmetricKeyType !== 'rsa') return `must be an RSA public key for ${algorithm}`
  if ((key.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS) return undefined
  return `must be an RSA key of at least ${String(MIN_RSA_BITS)} bits`
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
  if (isPrivate(key)) throw new TypeError(`\`${name}\` is a private key; verifying needs the public one only`)
  if (key instanceof KeyObject) return key
  const imported = typeof key === 'string' || Buffer.isBuffer(key) ? parsePublicKey(Buffer.from(key)) : undefined
  if (imported) return imported
  throw new TypeError(`\`${name}\` must be a public key: PEM, DER (SPKI) or a KeyObject`)
}

function parsePublicKey(bytes: Buffer): KeyObject | undefined {
  try {
    return isPem(bytes) ? createPublicKey(bytes) : createPublicKey({ key: bytes, format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

function isPem(bytes: Buffer): boolean {
  return bytes.includes('-----BEGIN ')
}

function isPrivate(key: unknown): boolean {
  if (key instanceof KeyObject) return key.type === 'private'
  return (typeof key === 'string' || Buffer.isBuffer(key)) && key.includes('PRIVATE KEY-----')
}
