import { createHmac, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import jwt from 'jsonwebtoken'
import type { Algorithm } from '../../../lib/auth/keys/verification-key.ts'

export const SECRET = randomBytes(64)
export const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const OTHER_RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const EC256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const EC384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
export const EC521 = generateKeyPairSync('ec', { namedCurve: 'P-521' })

export const ISSUER = 'https://issuer.example'
export const AUDIENCE = 'https://events.example'

const HOUR = 3_600_000

/** A public key as text. */
export function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString()
}

/** Seconds since 1970, as claims have it. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

/** Claims that are accepted at `now`, unless they are changed. */
export function claims(now: number, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { iss: ISSUER, aud: AUDIENCE, sub: 'ada', exp: seconds(now) + 60, ...changes }
}

/** The same of a token that outlives any test, for what goes by the system's clock. */
export function lastingClaims(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return claims(Date.now() + HOUR, changes)
}

/** A token that jsonwebtoken signs. */
export function issue(
  payload: Record<string, unknown>,
  algorithm: Algorithm,
  key: KeyObject | Buffer,
  header: Record<string, unknown> = {},
): string {
  return jwt.sign(payload, key, { algorithm, noTimestamp: true, header: { alg: algorithm, ...header } })
}

/** A token that no decent library would sign: any header, any payload, either of them JSON text or something to make it of. */
export function forge(header: unknown, payload: unknown, key: KeyObject | Buffer): string {
  const input = `${encode(header)}.${encode(payload)}`
  const signature = Buffer.isBuffer(key)
    ? createHmac('sha256', key).update(input).digest()
    : sign('sha256', Buffer.from(input), key)
  return `${input}.${signature.toString('base64url')}`
}

function encode(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}
