import type { KeyObject } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { JwksClient } from 'jwks-rsa'
import { serve } from '../../support/http.ts'
import { PATIENCE } from '../../support/progress.ts'
import { INVALID_TOKEN, openEndpoint, UNAVAILABLE } from '../jwt/endpoint.ts'
import { claims, issue, OTHER_RSA, RSA } from '../jwt/keys.ts'

/** A key server that speaks JSON Web Key Sets (RFC 7517) over HTTP. */
async function openKeyServer(t: ExecutionContext) {
  const keys = new Map<string, KeyObject>([['a', RSA.publicKey]])
  const state = { requests: 0 }
  const { url, close } = await serve((_request, response) => {
    state.requests++
    const jwks = [...keys].map(([kid, key]) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }))
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ keys: jwks }))
  }, t)
  const client = new JwksClient({ jwksUri: url, cache: false, timeout: PATIENCE })
  return { keys, state, client, close }
}

test('jwks-rsa as `getKey`: its unknown key is a 401, its silence a 503', async t => {
  const { client, close } = await openKeyServer(t)
  const { send, clock } = await openEndpoint(t, {
    getKey: async ({ kid }) => (await client.getSigningKey(kid)).getPublicKey(),
    algorithms: ['RS256'],
  })
  t.is((await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'a' }))).status, 200)
  t.like(await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'b' })), INVALID_TOKEN)
  t.like(await send(issue(claims(clock.now()), 'RS256', RSA.privateKey)), INVALID_TOKEN)
  await close()
  clock.advance(30_000)
  t.is((await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'a' }))).status, 200)
  t.like(await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'b' })), UNAVAILABLE)
})

test('jwks-rsa as `keys`: one request for the whole set, and rotation', async t => {
  const { keys, state, client, close } = await openKeyServer(t)
  const { send, clock } = await openEndpoint(t, {
    keys: async () => Object.fromEntries((await client.getSigningKeys()).map(key => [key.kid, key.getPublicKey()])),
    algorithms: ['RS256'],
  })
  t.is((await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'a' }))).status, 200)
  keys.set('b', OTHER_RSA.publicKey)
  clock.advance(30_000)
  const flood = Array.from({ length: 20 }, (_, index) =>
    send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: `made-up-${index}` })),
  )
  for (const answer of await Promise.all(flood)) t.like(answer, INVALID_TOKEN)
  t.is(state.requests, 2)
  t.is((await send(issue(claims(clock.now()), 'RS256', OTHER_RSA.privateKey, { kid: 'b' }))).status, 200)
  await close()
  clock.advance(600_000)
  t.like(await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'a' })), UNAVAILABLE)
})
