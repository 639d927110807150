import test from 'ava'
import { EXPIRED_TOKEN, INVALID_TOKEN, openEndpoint } from './endpoint.ts'
import { claims, forge, issue, seconds, SECRET } from './keys.ts'

const HOUR = 3_600_000
const options = { key: SECRET, algorithms: ['HS256'] } as const

test('a token lasts until `exp`, to the millisecond', async t => {
  const { send, clock } = await openEndpoint(t, options)
  const exp = seconds(clock.now()) + 60
  const token = issue(claims(clock.now(), { exp }), 'HS256', SECRET)
  clock.set(exp * 1000 - 1)
  t.is((await send(token)).identity?.expiresAt, exp * 1000)
  clock.set(exp * 1000)
  t.like(await send(token), EXPIRED_TOKEN)
  clock.set(exp * 1000 + HOUR)
  t.like(await send(token), EXPIRED_TOKEN)
})

test('an `exp` that is missing, infinite, in milliseconds, too far off or no number is refused', async t => {
  const { send, clock } = await openEndpoint(t, options)
  const now = clock.now()
  for (const exp of [
    undefined,
    null,
    now + HOUR,
    seconds(now + 24 * HOUR) + 1,
    '9999999999',
    true,
    [seconds(now) + 60],
  ]) {
    t.like(await send(forge({ alg: 'HS256' }, claims(now, { exp }), SECRET)), INVALID_TOKEN, String(exp))
  }
  for (const exp of ['1e400', '-1e400']) {
    const infinite = JSON.stringify(claims(now, { exp: 0 })).replace('"exp":0', `"exp":${exp}`)
    t.is((await send(forge({ alg: 'HS256' }, infinite, SECRET))).status, 401)
  }
  for (const exp of [0, -1]) t.like(await send(forge({ alg: 'HS256' }, claims(now, { exp }), SECRET)), EXPIRED_TOKEN)
})

test('`maxTtl` bounds `exp`', async t => {
  const { send, clock } = await openEndpoint(t, { ...options, maxTtl: HOUR })
  const lasting = (ms: number) => issue(claims(clock.now(), { exp: seconds(clock.now() + ms) }), 'HS256', SECRET)
  t.is((await send(lasting(HOUR))).status, 200)
  t.like(await send(lasting(HOUR + 1000)), INVALID_TOKEN)
})

for (const claim of ['nbf', 'iat']) {
  test(`\`${claim}\` may lie ahead by the tolerance, no further`, async t => {
    const { send, clock } = await openEndpoint(t, options)
    const from = (time: unknown) => forge({ alg: 'HS256' }, claims(clock.now(), { [claim]: time }), SECRET)
    t.is((await send(from(seconds(clock.now()) - 10))).status, 200)
    t.is((await send(from(seconds(clock.now()) + 5))).status, 200)
    t.like(await send(from(seconds(clock.now()) + 6)), INVALID_TOKEN)
    for (const time of ['1', null, {}, clock.now()]) t.like(await send(from(time)), INVALID_TOKEN, JSON.stringify(time))
  })
}

test('the tolerance can be none', async t => {
  const { send, clock } = await openEndpoint(t, { ...options, clockTolerance: 0 })
  const token = issue(claims(clock.now(), { nbf: seconds(clock.now()) + 1 }), 'HS256', SECRET)
  t.like(await send(token), INVALID_TOKEN)
  clock.advance(1_000)
  t.is((await send(token)).status, 200)
})
