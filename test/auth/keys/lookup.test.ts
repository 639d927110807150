import { generateKeyPairSync } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { INVALID_TOKEN, openEndpoint, UNAVAILABLE } from '../jwt/endpoint.ts'
import { claims, issue, OTHER_RSA, RSA } from '../jwt/keys.ts'
import { KeyServer } from './key-server.ts'

const INTERVAL = 30_000
const MAX_AGE = 600_000

async function openLookingUp(t: ExecutionContext) {
  const server = new KeyServer({ a: RSA.publicKey })
  const { clock, send, arrivals } = await openEndpoint(t, { getKey: server.getKey, algorithms: ['RS256'] })
  let sent = 0
  const sendSignedBy = (kid: string | undefined, { privateKey } = RSA) => {
    sent++
    return send(issue(claims(clock.now()), 'RS256', privateKey, kid === undefined ? {} : { kid }))
  }
  /** Sends one token for each `kid`, and lets the key server answer when all of them wait. */
  const sendAtOnce = async (kids: readonly string[]) => {
    const release = server.hold()
    const answers = kids.map(kid => sendSignedBy(kid))
    await arrivals(sent)
    release()
    return Promise.all(answers)
  }
  return { server, clock, sendSignedBy, sendAtOnce }
}

test('a key is looked up once, and kept for its age', async t => {
  const { server, clock, sendSignedBy, sendAtOnce } = await openLookingUp(t)
  const answers = await sendAtOnce(Array<string>(20).fill('a'))
  t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.is(server.asked, 1)
  clock.advance(MAX_AGE - 1)
  await sendSignedBy('a')
  t.is(server.asked, 1)
  clock.advance(1)
  await sendAtOnce(Array<string>(20).fill('a'))
  t.is(server.asked, 2)
})

test('several good keys are all found at once', async t => {
  const { server, sendSignedBy } = await openLookingUp(t)
  server.keys = { a: RSA.publicKey, b: OTHER_RSA.publicKey }
  const answers = await Promise.all([sendSignedBy('a'), sendSignedBy('b', OTHER_RSA), sendSignedBy('a')])
  t.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  )
  t.is(server.asked, 2)
})

test('a flood of unknown names causes one look an interval, and good keys keep working', async t => {
  const { server, clock, sendSignedBy } = await openLookingUp(t)
  await sendSignedBy('a')
  for (let round = 1; round <= 3; round++) {
    clock.advance(INTERVAL)
    const first = `made-up-${round}`
    t.like(await sendSignedBy(first), INVALID_TOKEN)
    const flood = Array.from({ length: 20 }, (_, index) => sendSignedBy(`${first}-${index}`))
    // Whether those exist, nobody has looked.
    for (const answer of await Promise.all(flood)) t.like(answer, UNAVAILABLE)
    t.like(await sendSignedBy(first), INVALID_TOKEN)
    t.is((await sendSignedBy('a')).status, 200)
    t.is(server.asked, 1 + round)
  }
})

test('a flood that comes at once causes one look', async t => {
  const { server, sendAtOnce } = await openLookingUp(t)
  const flood = await sendAtOnce(Array.from({ length: 20 }, (_, index) => `made-up-${index}`))
  const statuses = flood.map(({ status }) => status)
  t.deepEqual(statuses.sort(), [401, ...Array<number>(19).fill(503)])
  t.is(server.asked, 1)
})

test('known keys are renewed in the middle of a flood', async t => {
  const { server, clock, sendSignedBy } = await openLookingUp(t)
  await sendSignedBy('a')
  clock.advance(MAX_AGE)
  t.like(await sendSignedBy('made-up'), INVALID_TOKEN)
  t.is((await sendSignedBy('a')).status, 200)
  t.is(server.asked, 3)
})

test('no sane `kid` causes no look', async t => {
  const { server, sendSignedBy } = await openLookingUp(t)
  for (const kid of [undefined, '', '../a', 'a b', 'ä', 'x'.repeat(257)]) t.like(await sendSignedBy(kid), INVALID_TOKEN)
  t.is(server.asked, 0)
})

test('a removed key is refused once its age has passed', async t => {
  const { server, clock, sendSignedBy } = await openLookingUp(t)
  t.is((await sendSignedBy('a')).status, 200)
  server.keys = {}
  t.is((await sendSignedBy('a')).status, 200)
  clock.advance(MAX_AGE)
  t.like(await sendSignedBy('a'), INVALID_TOKEN)
  t.like(await sendSignedBy('a'), INVALID_TOKEN)
  t.is(server.asked, 2)
})

test('a server that is down is unavailable, for known keys too once they have aged', async t => {
  const { server, clock, sendSignedBy } = await openLookingUp(t)
  server.outage = new Error('connect ECONNREFUSED')
  t.like(await sendSignedBy('a'), UNAVAILABLE)
  t.like(await sendSignedBy('a'), UNAVAILABLE)
  t.is(server.asked, 1, 'it is left alone for a second')
  server.outage = undefined
  clock.advance(1_000)
  t.is((await sendSignedBy('a')).status, 200)
  server.outage = new Error('connect ECONNREFUSED')
  clock.advance(MAX_AGE)
  t.like(await sendSignedBy('a'), UNAVAILABLE)
  server.outage = undefined
  clock.advance(1_000)
  t.is((await sendSignedBy('a')).status, 200)
})

test('a server that does not answer is not waited for longer than the timeout', async t => {
  const { server, clock, sendSignedBy } = await openLookingUp(t)
  server.delay = new Promise(() => {})
  const asked = server.nextRequest()
  const answer = sendSignedBy('a')
  await asked
  clock.advance(5_000)
  t.like(await answer, UNAVAILABLE)
  t.is(clock.pending, 0)
})

test('a bad key is unavailable', async t => {
  const { server, clock, sendSignedBy } = await openLookingUp(t)
  for (const bad of [generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, 'no key', RSA.privateKey, null]) {
    server.keys = { a: bad as never }
    t.like(await sendSignedBy('a'), UNAVAILABLE)
    clock.advance(1_000)
  }
})
