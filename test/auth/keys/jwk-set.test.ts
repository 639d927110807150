import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { bearerToken, type JsonWebKey } from 'koa-event-stream'
import { INVALID_TOKEN, openEndpoint, UNAVAILABLE } from '../jwt/endpoint.ts'
import { claims, EC256, issue, OTHER_RSA, RSA, SECRET } from '../jwt/keys.ts'

function jwk(key: KeyObject, fields: Record<string, unknown> = {}): JsonWebKey {
  return { ...key.export({ format: 'jwk' }), ...fields }
}

const SOURCES = {
  keys: (answer: unknown) => ({ keys: async () => answer }),
  getKey: (answer: unknown) => ({ getKey: async () => answer }),
}

async function openAnswering(t: ExecutionContext, source: keyof typeof SOURCES, answer: unknown) {
  const algorithms = ['RS256', 'ES256'] as const
  const { send, clock } = await openEndpoint(t, { ...SOURCES[source](answer), algorithms })
  return (kid: string, key = RSA) => send(issue(claims(clock.now()), 'RS256', key.privateKey, { kid }))
}

for (const source of ['keys', 'getKey'] as const) {
  test(`${source} may answer a JWK Set as a key server publishes it`, async t => {
    const a = jwk(RSA.publicKey, { kid: 'a', use: 'sig', alg: 'RS256' })
    const b = jwk(OTHER_RSA.publicKey, { kid: 'b', key_ops: ['verify'] })
    const send = await openAnswering(t, source, { keys: [a, b, jwk(EC256.publicKey, { kid: 'c', crv: 'P-256' })] })
    t.is((await send('a')).status, 200)
    t.is((await send('b', OTHER_RSA)).status, 200)
    t.like(await send('a', OTHER_RSA), INVALID_TOKEN)
  })

  test(`${source}: keys of a JWK Set that are not for this are left out`, async t => {
    for (const wrong of [
      { use: 'enc' },
      { key_ops: ['encrypt'] },
      { alg: 'RS512' },
      { kty: 'OKP' },
      { kid: undefined },
      { kid: 7 },
    ]) {
      const keys = [jwk(RSA.publicKey, { kid: 'a', ...wrong }), jwk(OTHER_RSA.publicKey, { kid: 'b' }), null, 'key']
      const send = await openAnswering(t, source, { keys })
      t.is((await send('b', OTHER_RSA)).status, 200)
      t.like(await openAnswering(t, source, { keys }).then(again => again('a')), INVALID_TOKEN, JSON.stringify(wrong))
    }
  })

  test(`${source}: a key with an \`alg\` verifies that one alone`, async t => {
    const key = jwk(RSA.publicKey, { kid: 'a', alg: 'RS256' })
    const { send, clock } = await openEndpoint(t, {
      ...SOURCES[source]({ keys: [key] }),
      algorithms: ['RS256', 'PS256'],
    })
    t.is((await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'a' }))).status, 200)
    t.like(await send(issue(claims(clock.now()), 'PS256', RSA.privateKey, { kid: 'a' })), INVALID_TOKEN)
  })

  test(`${source}: a JWK Set of which nothing can be used is unavailable, and the operator is told why`, async t => {
    for (const keys of [[], [jwk(RSA.publicKey)], [jwk(RSA.publicKey, { kid: 'a', use: 'enc' })]]) {
      const send = await openAnswering(t, source, { keys })
      const answer = await send('a')
      t.like(answer, UNAVAILABLE)
      t.regex(answer.cause ?? '', /JWK Set without a usable key/)
    }
  })

  test(`${source}: a broken, weak or private key of the set is unavailable, the others work`, async t => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
    const broken = [{ kid: 'a', kty: 'RSA', n: 7 }, jwk(weak, { kid: 'a' }), jwk(RSA.privateKey, { kid: 'a' })]
    for (const bad of broken) {
      const keys = [bad, jwk(OTHER_RSA.publicKey, { kid: 'b' })]
      t.is((await (await openAnswering(t, source, { keys }))('b', OTHER_RSA)).status, 200)
      const answer = await (await openAnswering(t, source, { keys }))('a')
      t.like(answer, UNAVAILABLE)
      const secret = RSA.privateKey.export({ format: 'jwk' }).d ?? ''
      t.false(JSON.stringify(answer).includes(secret.slice(0, 20)))
    }
  })
}

test('a JWK Set and a JWK may be given at start-up', async t => {
  const keys = { keys: [jwk(RSA.publicKey, { kid: 'a' })] }
  const { send, clock } = await openEndpoint(t, { keys, algorithms: ['RS256'] })
  t.is((await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'a' }))).status, 200)
  const one = await openEndpoint(t, { key: jwk(RSA.publicKey), algorithms: ['RS256'] })
  t.is((await one.send(issue(claims(one.clock.now()), 'RS256', RSA.privateKey))).status, 200)
  const secret = { kty: 'oct', k: SECRET.toString('base64url') }
  const shared = await openEndpoint(t, { key: secret, algorithms: ['HS256'] })
  t.is((await shared.send(issue(claims(shared.clock.now()), 'HS256', SECRET))).status, 200)
})

test('a public JWK is no secret, and a secret one is no public key', t => {
  const rest = { issuer: 'i', audience: 'a' }
  const secret = { kty: 'oct', k: SECRET.toString('base64url') }
  for (const [key, algorithm] of [
    [jwk(RSA.publicKey), 'HS256'],
    [secret, 'RS256'],
    [{ kty: 'oct', k: 'c2hvcnQ' }, 'HS256'],
    [{ kty: 'oct' }, 'HS256'],
    [jwk(RSA.privateKey), 'RS256'],
    [jwk(EC256.publicKey), 'RS256'],
    [jwk(RSA.publicKey, { alg: 'RS512' }), 'RS256'],
  ] as const) {
    const options = { ...rest, key, algorithms: [algorithm] }
    t.throws(() => bearerToken(options), { instanceOf: TypeError, message: /`key`/ }, `${String(key.kty)} ${algorithm}`)
  }
})
