import test from 'ava'
import { INVALID_TOKEN, openEndpoint } from '../jwt/endpoint.ts'
import { claims, EC256, forge, issue, OTHER_RSA, RSA, SECRET } from '../jwt/keys.ts'

test('the `kid` names the key', async t => {
  const keys = { old: RSA.publicKey, new: OTHER_RSA.publicKey, curve: EC256.publicKey }
  const { send, clock } = await openEndpoint(t, { keys, algorithms: ['RS256', 'ES256'] })
  const payload = claims(clock.now())
  t.is((await send(issue(payload, 'RS256', RSA.privateKey, { kid: 'old' }))).status, 200)
  t.is((await send(issue(payload, 'RS256', OTHER_RSA.privateKey, { kid: 'new' }))).status, 200)
  t.is((await send(issue(payload, 'ES256', EC256.privateKey, { kid: 'curve' }))).status, 200)
  t.like(await send(issue(payload, 'RS256', RSA.privateKey, { kid: 'new' })), INVALID_TOKEN)
  t.like(await send(issue(payload, 'RS256', RSA.privateKey, { kid: 'curve' })), INVALID_TOKEN)
  t.like(await send(forge({ alg: 'ES256', kid: 'old' }, payload, RSA.privateKey)), INVALID_TOKEN)
})

test('a `kid` that is absent, unknown or hostile names no key, even if there is only one', async t => {
  const { send, clock } = await openEndpoint(t, { keys: { only: SECRET }, algorithms: ['HS256'] })
  const kids = [
    undefined,
    null,
    '',
    'other',
    'ONLY',
    '../only',
    'only\u0000',
    'x'.repeat(1024),
    0,
    ['only'],
    { only: 1 },
  ]
  for (const kid of [...kids, '__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const token = forge({ alg: 'HS256', kid }, claims(clock.now()), SECRET)
    t.like(await send(token), INVALID_TOKEN, JSON.stringify(kid))
  }
  t.is((await send(forge({ alg: 'HS256', kid: 'only' }, claims(clock.now()), SECRET))).status, 200)
})

test('`__proto__` can be a key’s name, and is one like any other', async t => {
  const keys = JSON.parse('{"__proto__":""}')
  Object.defineProperty(keys, '__proto__', { value: SECRET, enumerable: true })
  const { send, clock } = await openEndpoint(t, { keys, algorithms: ['HS256'] })
  t.is((await send(forge({ alg: 'HS256', kid: '__proto__' }, claims(clock.now()), SECRET))).status, 200)
})

test('one key is for all tokens, whatever `kid` they name', async t => {
  const { send, clock } = await openEndpoint(t, { key: SECRET, algorithms: ['HS256'] })
  for (const kid of [undefined, 'any', '../x']) {
    t.is((await send(forge({ alg: 'HS256', kid }, claims(clock.now()), SECRET))).status, 200)
  }
})

test('a secret that is long enough for HS256 does not verify HS512', async t => {
  const secret = SECRET.subarray(0, 32)
  const { send, clock } = await openEndpoint(t, { keys: { a: secret }, algorithms: ['HS256', 'HS512'] })
  t.is((await send(issue(claims(clock.now()), 'HS256', secret, { kid: 'a' }))).status, 200)
  t.like(await send(issue(claims(clock.now()), 'HS512', secret, { kid: 'a' })), INVALID_TOKEN)
})
