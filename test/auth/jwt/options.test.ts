import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import test from 'ava'
import { bearerToken } from '../../../lib/auth/jwt/bearer-token.ts'
import { EC256, EC384, pem, RSA, SECRET } from './keys.ts'

const valid = { key: SECRET, algorithms: ['HS256'], issuer: 'i', audience: 'a' }
const { key: _, ...keyless } = valid
const rsa = { ...keyless, key: RSA.publicKey, algorithms: ['RS256'] }

test('what is right is accepted', t => {
  const der = RSA.publicKey.export({ type: 'spki', format: 'der' })
  const right: Record<string, unknown>[] = [
    valid,
    { ...valid, key: SECRET.toString('hex') },
    { ...valid, key: createSecretKey(SECRET), algorithms: ['HS256', 'HS384', 'HS512'] },
    { ...rsa, algorithms: ['RS256', 'PS512'] },
    { ...rsa, key: pem(RSA.publicKey) },
    { ...rsa, key: Buffer.from(pem(RSA.publicKey)) },
    { ...rsa, key: der },
    { ...keyless, key: EC256.publicKey, algorithms: ['ES256'] },
    { ...keyless, keys: { a: RSA.publicKey, b: EC256.publicKey }, algorithms: ['RS256', 'ES256'] },
    { ...keyless, getKey: () => undefined },
    { ...valid, issuer: false, audience: ['a', 'b'] },
  ]
  for (const options of right) t.notThrows(() => bearerToken(options as never))
  t.like(bearerToken({ ...valid, realm: 'shop' } as never), {
    scheme: 'bearer',
    ambient: false,
    challenge: 'Bearer realm="shop"',
  })
})

const wrong: Record<string, [named: string, options: Record<string, unknown>][]> = {
  'the source of keys must be one': [
    ['key', keyless],
    ['key', { ...valid, keys: { a: SECRET } }],
    ['key', { ...valid, getKey: () => undefined }],
    ['key', { ...valid, key: undefined }],
    ['keys', { ...keyless, keys: {} }],
    ['keys', { ...keyless, keys: [SECRET] }],
    ['keys', { ...keyless, keys: new Map([['a', SECRET]]) }],
    ['keys.a', { ...keyless, keys: { a: 'short' } }],
    ['getKey', { ...keyless, getKey: 'url' }],
  ],
  'algorithms must be known and of one kind': [
    ['algorithms', { ...valid, algorithms: undefined }],
    ['algorithms', { ...valid, algorithms: [] }],
    ['algorithms', { ...valid, algorithms: 'HS256' }],
    ['algorithms', { ...valid, algorithms: ['none'] }],
    ['algorithms', { ...valid, algorithms: ['HS256', 'none'] }],
    ['algorithms', { ...valid, algorithms: ['EdDSA'] }],
    ['algorithms', { ...valid, algorithms: ['HS256', 'RS256'] }],
    ['algorithms', { ...keyless, getKey: () => undefined, algorithms: ['HS256', 'RS256'] }],
  ],
  'issuer and audience must be said': [
    ['issuer', { ...valid, issuer: undefined }],
    ['audience', { ...valid, audience: undefined }],
    ['issuer', { ...valid, issuer: '' }],
    ['audience', { ...valid, audience: [] }],
    ['audience', { ...valid, audience: ['a', undefined] }],
    ['audience', { ...valid, audience: /a/ }],
    ['issuer', { ...valid, issuer: [/i/] }],
    ['issuers', { ...valid, issuer: ['a', 'b'] }],
    ['issuer', { ...valid, issuer: true }],
    ['issuer', { ...valid, issuer: null }],
  ],
  'keys must be strong enough and of the algorithm’s kind': [
    ['key', { ...valid, key: '' }],
    ['key', { ...valid, key: 'x' }],
    ['key', { ...valid, key: SECRET.subarray(0, 31) }],
    ['key', { ...valid, key: SECRET.subarray(0, 32), algorithms: ['HS256', 'HS384'] }],
    ['key', { ...valid, key: createSecretKey(SECRET.subarray(0, 16)) }],
    ['key', { ...valid, key: pem(RSA.publicKey) }],
    ['key', { ...valid, key: RSA.publicKey }],
    ['key', { ...valid, key: RSA.publicKey.export({ type: 'spki', format: 'der' }) }],
    ['key', { ...valid, key: RSA.privateKey.export({ type: 'pkcs8', format: 'pem' }) }],
    ['key', { ...valid, key: 7 }],
    ['key', { ...rsa, key: SECRET }],
    ['key', { ...rsa, key: createSecretKey(SECRET) }],
    ['key', { ...rsa, key: EC256.publicKey }],
    ['key', { ...rsa, key: EC256.publicKey, algorithms: ['ES384'] }],
    ['key', { ...rsa, key: EC384.publicKey, algorithms: ['ES384', 'ES256'] }],
    ['key', { ...rsa, algorithms: ['RS256', 'ES256'] }],
    ['key', { ...rsa, key: generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey }],
    ['key', { ...rsa, key: pem(generateKeyPairSync('rsa', { modulusLength: 2040 }).publicKey) }],
    ['key', { ...rsa, key: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey, algorithms: ['PS256'] }],
    ['key', { ...rsa, key: RSA.privateKey }],
    ['key', { ...rsa, key: RSA.privateKey.export({ type: 'pkcs1', format: 'pem' }) }],
    ['key', { ...rsa, key: '-----BEGIN PUBLIC KEY-----\nbroken\n-----END PUBLIC KEY-----' }],
  ],
  'numbers and texts must make sense': [
    ['clockTolerance', { ...valid, clockTolerance: -1 }],
    ['clockTolerance', { ...valid, clockTolerance: '5s' }],
    ['maxTtl', { ...valid, maxTtl: Infinity }],
    ['maxBytes', { ...valid, maxBytes: 0 }],
    ['keyCooldown', { ...valid, keyCooldown: 0 }],
    ['keyCacheMaxAge', { ...valid, keyCacheMaxAge: 29_999 }],
    ['keyTimeout', { ...valid, keyTimeout: NaN }],
    ['types', { ...valid, types: [] }],
    ['scope', { ...valid, scope: 'a"b' }],
    ['scope', { ...valid, scope: [''] }],
    ['realm', { ...valid, realm: 'a\r\nb' }],
    ['identify', { ...valid, identify: 'sub' }],
    ['tokenFrom', { ...valid, tokenFrom: 'cookie' }],
    ['algorithm', { ...valid, algorithm: ['HS256'] }],
  ],
}

for (const [title, cases] of Object.entries(wrong)) {
  test(title, t => {
    for (const [name, options] of cases) {
      t.throws(() => bearerToken(options as never), { instanceOf: TypeError, message: new RegExp(`\`${name}\``) }, name)
    }
  })
}

test('no error shows a key', t => {
  const secret = 'weak secret'
  const { privateKey }: { privateKey: KeyObject } = RSA
  const text = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  for (const options of [
    { ...valid, key: secret },
    { ...rsa, key: text },
    { ...keyless, keys: { a: secret } },
    { ...valid, realm: `"${secret}` },
  ]) {
    const error = t.throws(() => bearerToken(options as never), { instanceOf: TypeError })
    t.false(String(error.stack).includes(secret) || String(error.stack).includes(text.slice(40, 80)))
  }
})
