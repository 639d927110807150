import { generateKeyPairSync } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import type { Context } from 'koa'
import { AuthenticationError, bearerToken, type VerificationKey } from 'koa-event-stream'
import { BoundedMap } from '../../../lib/auth/keys/bounded-map.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { AUDIENCE, claims, ISSUER, issue, RSA } from '../jwt/keys.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const FLOOD = 20_000
const PADDING = 'x'.repeat(240)

/** As much of a context as a bearer token needs. */
function contextWith(token: string): Context {
  return { req: { rawHeaders: [] }, get: () => `Bearer ${token}` } as unknown as Context
}

function forged(kid: string): string {
  const [header, payload] = [{ alg: 'RS256', kid }, { sub: 'x' }].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  return `${String(header)}.${String(payload)}.AAAA`
}

function openLookingUp(keyOf: (kid: string) => VerificationKey) {
  const clock = new ManualClock()
  const asked: string[] = []
  const { authenticate } = bearerToken({
    getKey: ({ kid = '' }) => {
      asked.push(kid)
      return keyOf(kid)
    },
    algorithms: ['RS256'],
    issuer: ISSUER,
    audience: AUDIENCE,
    clock,
  })
  return {
    asked,
    clock,
    flood: async (count: number) => {
      for (let n = 0; n < count; n++) {
        await Promise.resolve(authenticate(contextWith(forged(`made-up-${n}-${PADDING}`)))).catch(() => undefined)
      }
    },
    send: async (kid: string) =>
      authenticate(contextWith(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid }))),
  }
}

test('made-up names for which there is a key harm no good key and no new one, and are forgotten', async t => {
  const { asked, flood, send } = openLookingUp(() => RSA.publicKey)
  t.like(await send('good'), { id: 'ada' })
  await flood(1_000)
  asked.splice(0)
  const before = settledHeap()
  await flood(FLOOD)
  t.is(asked.splice(0).length, FLOOD)
  // Each of them remembered would be at least its name of 250 bytes: 5 MB.
  t.true(settledHeap() - before < 3_000_000)
  t.like(await send('good'), { id: 'ada' })
  t.is(asked.length, 0, 'the good key was kept')
  t.like(await send('new'), { id: 'ada' })
  t.like(await send('new'), { id: 'ada' })
  t.is(asked.length, 1)
})

test('a key whose token was good is renewed though made-up names get others', async t => {
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  const { asked, clock, flood, send } = openLookingUp(kid => (kid === 'good' ? RSA.publicKey : other))
  await send('good')
  await flood(200)
  clock.advance(600_000)
  t.like(await send('good'), { id: 'ada' })
  t.is(asked.filter(kid => kid === 'good').length, 2)
})

test('of many good keys those are forgotten that were used the longest ago', async t => {
  const { asked, send } = openLookingUp(() => RSA.publicKey)
  for (let n = 0; n < 1_000; n++) await send(`good-${n}`)
  await send('good-0')
  await send('another')
  await send('good-0')
  t.is(asked.length, 1_001)
  await send('good-1')
  t.is(asked.length, 1_002)
})

test('a bounded map keeps what was used lately', t => {
  const map = new BoundedMap<number>(2)
  map.set('a', 1)
  map.set('b', 2)
  t.is(map.get('a'), 1)
  map.set('c', 3)
  t.is(map.get('b'), undefined)
  t.is(map.take('a'), 1)
  t.is(map.get('a'), undefined)
  t.is(map.get('c'), 3)
})

/** Bytes in use, without garbage. */
function settledHeap(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test('while a slow `getKey` is asked for made-up names, a new key is looked for next, and the flood waits for nothing', async t => {
  const answers: (() => void)[] = []
  const asked: string[] = []
  const { authenticate } = bearerToken({
    getKey: ({ kid = '' }) => {
      asked.push(kid)
      return new Promise<VerificationKey>(resolve => answers.push(() => resolve(RSA.publicKey)))
    },
    algorithms: ['RS256'],
    issuer: ISSUER,
    audience: AUDIENCE,
  })
  const flood = Array.from({ length: 600 }, (_, n) => authenticate(contextWith(forged(`x${String(n)}`))))
  const outcomes = flood.map(attempt =>
    Promise.resolve(attempt).then(
      () => 'let in',
      (error: unknown) => (error instanceof AuthenticationError ? error.status : error),
    ),
  )
  const turnedAway = await Promise.race([Promise.all(outcomes.slice(1, 500)), new Promise(() => undefined)])
  t.deepEqual([...new Set(turnedAway as unknown[])], [503])
  const known = authenticate(contextWith(issue(claims(Date.now()), 'RS256', RSA.privateKey, { kid: 'good' })))
  for (let n = 0; n < 2; n += 1) {
    while (answers.length === 0) await new Promise(setImmediate)
    answers.shift()?.()
  }
  t.truthy(await known)
  t.deepEqual(asked.slice(0, 2), ['x0', 'good'])
})
