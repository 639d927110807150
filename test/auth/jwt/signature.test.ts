import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import type { Algorithm } from '../../../lib/auth/keys/verification-key.ts'
import { koaVersions } from '../../support/koa-versions.ts'
import { INVALID_TOKEN, openEndpoint } from './endpoint.ts'
import { claims, EC256, EC384, EC521, forge, issue, OTHER_RSA, pem, RSA, SECRET } from './keys.ts'

const PAIRS = { RS: RSA, PS: RSA } as const
const CURVES = { ES256: EC256, ES384: EC384, ES512: EC521 } as const

for (const size of ['256', '384', '512'] as const) {
  test(`HS${size} is verified with a secret`, async t => {
    const { send, clock } = await openEndpoint(t, { key: SECRET, algorithms: [`HS${size}`] })
    t.like(await send(issue(claims(clock.now()), `HS${size}`, SECRET)), { status: 200, identity: { id: 'ada' } })
    t.like(await send(issue(claims(clock.now()), `HS${size}`, Buffer.alloc(64, 1))), INVALID_TOKEN)
  })

  for (const family of ['RS', 'PS'] as const) {
    test(`${family}${size} is verified with an RSA public key`, async t => {
      const algorithm: Algorithm = `${family}${size}`
      const { send, clock } = await openEndpoint(t, { key: PAIRS[family].publicKey, algorithms: [algorithm] })
      t.like(await send(issue(claims(clock.now()), algorithm, RSA.privateKey)), {
        status: 200,
        identity: { id: 'ada' },
      })
      t.like(await send(issue(claims(clock.now()), algorithm, OTHER_RSA.privateKey)), INVALID_TOKEN)
    })
  }

  test(`ES${size} is verified with a key on its curve`, async t => {
    const { publicKey, privateKey } = CURVES[`ES${size}`]
    const { send, clock } = await openEndpoint(t, { key: publicKey, algorithms: [`ES${size}`] })
    t.like(await send(issue(claims(clock.now()), `ES${size}`, privateKey)), { status: 200, identity: { id: 'ada' } })
    const stranger = generateKeyPairSync('ec', { namedCurve: `P-${size === '512' ? '521' : size}` })
    t.like(await send(issue(claims(clock.now()), `ES${size}`, stranger.privateKey)), INVALID_TOKEN)
  })
}

for (const [version, Koa] of koaVersions) {
  test(`${version}: a token becomes an identity`, async t => {
    const { send, clock } = await openEndpoint(t, { key: pem(RSA.publicKey), algorithms: ['RS256'] }, new Koa())
    const payload = claims(clock.now(), { jti: 'token-1', role: 'admin' })
    const { status, identity } = await send(issue(payload, 'RS256', RSA.privateKey))
    t.is(status, 200)
    t.deepEqual(identity, {
      id: 'ada',
      scheme: 'bearer',
      expiresAt: Number(payload.exp) * 1000,
      token: 'token-1',
      claims: payload,
    })
  })
}

test('`none` is refused, in any case and with any signature', async t => {
  const { send, clock } = await openEndpoint(t, { key: SECRET, algorithms: ['HS256'] })
  for (const alg of ['none', 'None', 'NONE', '', null, undefined, ['HS256'], {}]) {
    const token = forge({ alg, typ: 'JWT' }, claims(clock.now()), SECRET)
    t.like(await send(token), INVALID_TOKEN, JSON.stringify(alg))
    t.like(await send(token.replace(/[^.]*$/, '')), INVALID_TOKEN, `${JSON.stringify(alg)}, unsigned`)
  }
})

test('an algorithm that is not listed is refused, though its key fits', async t => {
  const { send, clock } = await openEndpoint(t, { key: RSA.publicKey, algorithms: ['RS256', 'PS256'] })
  t.is((await send(issue(claims(clock.now()), 'PS256', RSA.privateKey))).status, 200)
  t.like(await send(issue(claims(clock.now()), 'RS512', RSA.privateKey)), INVALID_TOKEN)
})

test('a public key is never taken for a secret', async t => {
  const der = RSA.publicKey.export({ type: 'spki', format: 'der' })
  for (const key of [RSA.publicKey, pem(RSA.publicKey), Buffer.from(pem(RSA.publicKey)), der]) {
    const { send, clock } = await openEndpoint(t, { key, algorithms: ['RS256'] })
    t.is((await send(issue(claims(clock.now()), 'RS256', RSA.privateKey))).status, 200)
    for (const secret of [der, Buffer.from(pem(RSA.publicKey)), Buffer.from(pem(RSA.publicKey).trim())]) {
      t.like(await send(forge({ alg: 'HS256' }, claims(clock.now()), secret)), INVALID_TOKEN)
      t.like(await send(forge({ alg: 'RS256' }, claims(clock.now()), secret)), INVALID_TOKEN)
    }
  }
})

test('a key in the token is not used', async t => {
  const { send, clock } = await openEndpoint(t, { key: RSA.publicKey, algorithms: ['RS256'] })
  const jwk = OTHER_RSA.publicKey.export({ format: 'jwk' })
  const header = { alg: 'RS256', jwk, jku: 'https://evil.example/keys', x5u: 'https://evil.example/cert' }
  t.like(await send(forge(header, claims(clock.now()), OTHER_RSA.privateKey)), INVALID_TOKEN)
})

test('a changed token is refused', async t => {
  const { send, clock } = await openEndpoint(t, { key: RSA.publicKey, algorithms: ['RS256'] })
  const [header, , signature] = issue(claims(clock.now()), 'RS256', RSA.privateKey).split('.')
  const payload = Buffer.from(JSON.stringify(claims(clock.now(), { sub: 'eve' }))).toString('base64url')
  t.like(await send(`${header}.${payload}.${signature}`), INVALID_TOKEN)
  t.like(await send(`${header}.${payload}.`), INVALID_TOKEN)
})

test('an ES256 signature of zeros is refused', async t => {
  const { send, clock } = await openEndpoint(t, { key: EC256.publicKey, algorithms: ['ES256'] })
  const [header, payload] = issue(claims(clock.now()), 'ES256', EC256.privateKey).split('.')
  t.like(await send(`${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`), INVALID_TOKEN)
})
