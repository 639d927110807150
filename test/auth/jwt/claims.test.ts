import test from 'ava'
import { INVALID_TOKEN, openEndpoint } from './endpoint.ts'
import { AUDIENCE, claims, forge, ISSUER, issue, RSA, SECRET } from './keys.ts'

const options = { key: SECRET, algorithms: ['HS256'] } as const

test('a wrong or missing issuer or audience is refused', async t => {
  const { send, clock } = await openEndpoint(t, options)
  for (const name of ['iss', 'aud']) {
    const near = name === 'iss' ? ISSUER : AUDIENCE
    for (const wrong of [
      undefined,
      null,
      '',
      'other',
      `${near}.evil`,
      `x${near}`,
      near.toUpperCase(),
      {},
      1,
      [[near]],
    ]) {
      const token = forge({ alg: 'HS256' }, claims(clock.now(), { [name]: wrong }), SECRET)
      t.like(await send(token), INVALID_TOKEN, `${name}: ${JSON.stringify(wrong)}`)
    }
  }
  const listed = forge({ alg: 'HS256' }, claims(clock.now(), { iss: [ISSUER] }), SECRET)
  t.like(await send(listed), INVALID_TOKEN, 'an issuer is one')
})

test('one of several audiences is enough', async t => {
  const { send, clock } = await openEndpoint(t, { ...options, audience: ['b', AUDIENCE] })
  t.is((await send(issue(claims(clock.now()), 'HS256', SECRET))).status, 200)
  t.is((await send(issue(claims(clock.now(), { aud: ['c', 'b'] }), 'HS256', SECRET))).status, 200)
  t.like(await send(issue(claims(clock.now(), { aud: ['c'] }), 'HS256', SECRET)), INVALID_TOKEN)
})

test('`false` takes any issuer or audience', async t => {
  const { send, clock } = await openEndpoint(t, { ...options, issuer: false, audience: false })
  t.is((await send(issue(claims(clock.now(), { iss: 'x', aud: 'y' }), 'HS256', SECRET))).status, 200)
  t.is(
    (await send(forge({ alg: 'HS256' }, claims(clock.now(), { iss: undefined, aud: undefined }), SECRET))).status,
    200,
  )
})

test('any `crit` is refused, since no extension is understood', async t => {
  const { send, clock } = await openEndpoint(t, options)
  for (const crit of [['exp'], ['b64'], ['x'], [], null, 'x']) {
    t.like(await send(forge({ alg: 'HS256', crit }, claims(clock.now()), SECRET)), INVALID_TOKEN, JSON.stringify(crit))
  }
})

test('`typ` is a JWT or an access token, or absent', async t => {
  const { send, clock } = await openEndpoint(t, options)
  const typed = (typ: unknown) => send(forge({ alg: 'HS256', typ }, claims(clock.now()), SECRET))
  for (const typ of [undefined, 'JWT', 'jwt', 'at+jwt', 'application/at+JWT', 'Application/jwt']) {
    t.is((await typed(typ)).status, 200, String(typ))
  }
  for (const typ of ['', 'dpop+jwt', 'logout+jwt', 'application/application/jwt', null, 1, ['JWT']]) {
    t.like(await typed(typ), INVALID_TOKEN, String(typ))
  }
})

test('`types` replaces the accepted types, and makes `typ` required', async t => {
  const { send, clock } = await openEndpoint(t, { ...options, types: 'application/Event+jwt' })
  t.is((await send(issue(claims(clock.now()), 'HS256', SECRET, { typ: 'event+JWT' }))).status, 200)
  t.like(await send(issue(claims(clock.now()), 'HS256', SECRET, { typ: 'JWT' })), INVALID_TOKEN)
  for (const typ of [undefined, null, '']) {
    t.like(await send(forge({ alg: 'HS256', typ }, claims(clock.now()), SECRET)), INVALID_TOKEN, String(typ))
  }
})

test('a payload that is no object is refused, and the process lives', async t => {
  const payloads = ['null', '[]', '"text"', '1', 'true', 'no json', '', '[{"sub":"ada"}]', '{"sub":"ada"', '\u0000']
  const keyed = [
    { endpoint: await openEndpoint(t, options), alg: 'HS256', key: SECRET },
    { endpoint: await openEndpoint(t, { keys: { a: SECRET }, algorithms: ['HS256'] }), alg: 'HS256', key: SECRET },
    {
      endpoint: await openEndpoint(t, { getKey: async () => RSA.publicKey, algorithms: ['RS256'] }),
      alg: 'RS256',
      key: RSA.privateKey,
    },
  ]
  for (const { endpoint, alg, key } of keyed) {
    for (const payload of payloads) {
      for (const typ of ['JWT', undefined]) {
        t.like(await endpoint.send(forge({ alg, typ, kid: 'a' }, payload, key)), INVALID_TOKEN, payload)
      }
    }
    t.is((await endpoint.send(forge({ alg, kid: 'a' }, claims(endpoint.clock.now()), key))).status, 200)
  }
})

test('a `sub` that is missing or no string is refused', async t => {
  const { send, clock } = await openEndpoint(t, options)
  for (const sub of [undefined, null, '', 7, {}, { toString: 'ada' }, ['ada'], true]) {
    const token = forge({ alg: 'HS256' }, claims(clock.now(), { sub }), SECRET)
    t.like(await send(token), INVALID_TOKEN, JSON.stringify(sub))
  }
})

test('`__proto__` in a token pollutes nothing and stands for nothing', async t => {
  const { send, clock, identities } = await openEndpoint(t, { ...options, scope: 'read' })
  const { sub, ...others } = claims(clock.now())
  const payload = JSON.stringify(others).replace('{', `{"__proto__":${JSON.stringify({ sub, scope: 'read' })},`)
  t.is((await send(forge({ alg: 'HS256' }, payload, SECRET))).status, 403)
  const granted = JSON.stringify(claims(clock.now(), { scope: 'read' })).replace('{', '{"__proto__":{"admin":true},')
  t.is((await send(forge({ alg: 'HS256' }, granted, SECRET))).status, 200)
  t.is(identities[0]?.claims?.admin, undefined)
  t.is(({} as { admin?: boolean }).admin, undefined)
  const header = '{"__proto__":{"alg":"HS256"},"typ":"JWT"}'
  t.like(await send(forge(header, claims(clock.now()), SECRET)), INVALID_TOKEN)
})

test('a `jti` by which the token could not be revoked is refused', async t => {
  const { send, clock } = await openEndpoint(t, options)
  for (const jti of ['', 7, null, {}, ['a'], 'x'.repeat(257)]) {
    t.like(
      await send(forge({ alg: 'HS256' }, claims(clock.now(), { jti }), SECRET)),
      INVALID_TOKEN,
      JSON.stringify(jti),
    )
  }
  t.is((await send(issue(claims(clock.now()), 'HS256', SECRET))).identity?.token, undefined)
  const jti = 'x'.repeat(256)
  t.is((await send(issue(claims(clock.now(), { jti }), 'HS256', SECRET))).identity?.token, jti)
})
