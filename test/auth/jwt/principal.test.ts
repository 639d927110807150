import { EventEmitter, once } from 'node:events'
import test from 'ava'
import type { Context } from 'koa'
import { INVALID_TOKEN, EXPIRED_TOKEN, openEndpoint, UNAVAILABLE } from './endpoint.ts'
import { claims, issue, seconds, SECRET } from './keys.ts'

const options = { key: SECRET, algorithms: ['HS256'] } as const

test('all the scopes that are needed must be there', async t => {
  const { send, clock } = await openEndpoint(t, { ...options, scope: ['events:read', 'orders'] })
  const scoped = (changes: Record<string, unknown>) => send(issue(claims(clock.now(), changes), 'HS256', SECRET))
  for (const granted of [
    { scope: 'events:read orders' },
    { scope: 'orders other events:read' },
    { scp: ['orders', 'events:read'] },
    { scp: 'orders events:read' },
    { scope: 'orders', scp: ['events:read'] },
  ]) {
    t.is((await scoped(granted)).status, 200, JSON.stringify(granted))
  }
  for (const lacking of [
    {},
    { scope: 'orders' },
    { scope: 'events:readorders' },
    { scope: 7 },
    { scp: { orders: 1 } },
  ]) {
    t.like(await scoped(lacking), {
      status: 403,
      code: 'ERR_AUTH_FORBIDDEN',
      challenge:
        'Bearer realm="events", error="insufficient_scope", error_description="The access token does not allow this", scope="events:read orders"',
    })
  }
})

test('identify says whose token it is', async t => {
  const identify = async (token: { client_id?: string }) => ({
    id: `client:${token.client_id ?? ''}`,
    claims: { a: 1 },
  })
  const { send, clock } = await openEndpoint(t, { ...options, identify })
  const { identity } = await send(issue(claims(clock.now(), { client_id: 'x' }), 'HS256', SECRET))
  t.like(identity, { id: 'client:x', claims: { a: 1 } })
})

test('identify gets the context, for tokens that are bound to a certificate', async t => {
  const identify = (token: { cnf?: { 'x5t#S256'?: string } }, ctx: Context) =>
    token.cnf?.['x5t#S256'] === ctx.get('x-client-certificate') && { id: 'ada' }
  const { sendHeaders, clock } = await openEndpoint(t, { ...options, identify })
  const token = issue(claims(clock.now(), { cnf: { 'x5t#S256': 'bwcK0esc' } }), 'HS256', SECRET)
  const send = (certificate: string) =>
    sendHeaders(['Authorization', `Bearer ${token}`, 'X-Client-Certificate', certificate])
  t.is(await send('bwcK0esc'), 200)
  t.is(await send('another'), 401)
})

test('identify can refuse, or shorten, and cannot prolong', async t => {
  let answer: unknown
  const { send, clock } = await openEndpoint(t, { ...options, identify: () => answer })
  const exp = seconds(clock.now()) + 60
  const token = issue(claims(clock.now(), { exp }), 'HS256', SECRET)
  for (answer of [undefined, null, false, '', 0]) t.like(await send(token), INVALID_TOKEN)
  answer = { id: 'ada', expiresAt: clock.now() + 1_000 }
  t.is((await send(token)).identity?.expiresAt, clock.now() + 1_000)
  answer = { id: 'ada', expiresAt: clock.now() + 1_000_000 }
  t.is((await send(token)).identity?.expiresAt, exp * 1000)
  answer = { id: 'ada', expiresAt: clock.now() }
  t.like(await send(token), EXPIRED_TOKEN)
})

test('an identify that never answers is unavailable', async t => {
  const calls = new EventEmitter()
  const identify = () => {
    calls.emit('identify')
    return new Promise<never>(() => {})
  }
  const { send, clock } = await openEndpoint(t, { ...options, identify })
  const asked = once(calls, 'identify')
  const answer = send(issue(claims(clock.now()), 'HS256', SECRET))
  await asked
  clock.advance(5_000)
  t.like(await answer, UNAVAILABLE)
})

test('what identify gets is frozen', async t => {
  const seen: unknown[] = []
  const identify = (token: object) => {
    seen.push(Object.isFrozen(token))
    return { id: 'ada' }
  }
  const { send, clock, identities } = await openEndpoint(t, { ...options, identify })
  await send(issue(claims(clock.now()), 'HS256', SECRET))
  t.deepEqual(seen, [true])
  t.true(Object.isFrozen(identities[0]) && Object.isFrozen(identities[0]?.claims))
})

test('identify is not asked about a token that is refused anyway', async t => {
  let asked = 0
  const identify = () => {
    asked++
    return { id: 'ada' }
  }
  const { send, clock } = await openEndpoint(t, { ...options, identify, scope: 'x' })
  for (const changes of [{ exp: seconds(clock.now()) }, { iss: 'other' }, { scope: 'y' }]) {
    await send(issue(claims(clock.now(), { scope: 'x', ...changes }), 'HS256', SECRET))
  }
  t.is(asked, 0)
  await send(issue(claims(clock.now(), { scope: 'x' }), 'HS256', SECRET))
  t.is(asked, 1)
})

const failure = new Error('a secret')
const hostile = {
  get then(): never {
    throw failure
  },
}

for (const [how, fails] of [
  [
    'throws',
    () => {
      throw failure
    },
  ],
  ['rejects', () => Promise.reject(failure)],
  ['answers a hostile thenable', () => hostile],
  [
    'answers a hostile object',
    () => ({
      get id(): never {
        throw failure
      },
    }),
  ],
] as const) {
  test(`an identify that ${how} is an error of the application's, and no unhandled rejection`, async t => {
    const { send, clock } = await openEndpoint(t, { ...options, identify: fails })
    const answer = await send(issue(claims(clock.now()), 'HS256', SECRET))
    t.is(answer.status, 500)
    t.notRegex(JSON.stringify(answer), /secret/)
  })
}

for (const [how, fails] of [
  [
    'throw',
    () => {
      throw failure
    },
  ],
  ['reject', () => Promise.reject(failure)],
  ['answer a hostile thenable', () => hostile],
  ['answer junk', () => 7],
] as const) {
  test(`keys and getKey that ${how} are 503, and nobody else's loss`, async t => {
    for (const name of ['keys', 'getKey'] as const) {
      const source = { [name]: fails as () => never }
      const { send, clock } = await openEndpoint(t, { algorithms: ['HS256'], ...source })
      t.like(await send(issue(claims(clock.now()), 'HS256', SECRET, { kid: 'a' })), UNAVAILABLE)
    }
  })
}
