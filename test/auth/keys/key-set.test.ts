import { generateKeyPairSync } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { INVALID_TOKEN, openEndpoint, UNAVAILABLE } from '../jwt/endpoint.ts'
import { claims, issue, OTHER_RSA, RSA } from '../jwt/keys.ts'
import { KeyServer } from './key-server.ts'

const INTERVAL = 30_000
const MAX_AGE = 600_000

async function openFetching(t: ExecutionContext) {
  const server = new KeyServer({ a: RSA.publicKey })
  const { clock, send, arrivals } = await openEndpoint(t, { keys: server.fetchAll, algorithms: ['RS256'] })
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

test('the set is fetched when the first token comes, and once for all that wait', async t => {
  const { server, sendAtOnce } = await openFetching(t)
  t.is(server.asked, 0)
  const answers = await sendAtOnce(Array<string>(20).fill('a'))
  t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.is(server.asked, 1)
})

test('a flood of unknown names causes one fetch an interval, and good keys keep working', async t => {
  const { server, clock, sendSignedBy, sendAtOnce } = await openFetching(t)
  await sendSignedBy('a')
  for (let round = 1; round <= 3; round++) {
    clock.advance(INTERVAL)
    const flood = Array.from({ length: 20 }, (_, index) => `made-up-${round}-${index}`)
    const answers = await sendAtOnce([...flood, 'a'])
    t.is(answers.pop()?.status, 200)
    for (const answer of answers) t.like(answer, INVALID_TOKEN)
    t.is(server.asked, 1 + round)
  }
})

test('no `kid` causes no fetch', async t => {
  const { server, sendSignedBy } = await openFetching(t)
  for (const kid of [undefined, '', '../a', 'x'.repeat(1024)]) t.like(await sendSignedBy(kid), INVALID_TOKEN)
  t.is(server.asked, 0)
})

test('rotation: both keys while they overlap, then the new one alone', async t => {
  const { server, clock, sendSignedBy } = await openFetching(t)
  t.is((await sendSignedBy('a')).status, 200)
  server.keys = { a: RSA.publicKey, b: OTHER_RSA.publicKey }
  clock.advance(INTERVAL)
  t.is((await sendSignedBy('b', OTHER_RSA)).status, 200)
  t.is((await sendSignedBy('a')).status, 200)
  server.keys = { b: OTHER_RSA.publicKey }
  clock.advance(MAX_AGE)
  t.like(await sendSignedBy('a'), INVALID_TOKEN)
  t.is((await sendSignedBy('b', OTHER_RSA)).status, 200)
  t.is(server.asked, 3)
})

test('a server that is down is unavailable, until it is up again', async t => {
  const { server, clock, sendSignedBy } = await openFetching(t)
  server.outage = new Error('connect ECONNREFUSED')
  t.like(await sendSignedBy('a'), UNAVAILABLE)
  t.like(await sendSignedBy('a'), UNAVAILABLE)
  t.is(server.asked, 1, 'it is left alone for a second')
  server.outage = undefined
  clock.advance(1_000)
  t.is((await sendSignedBy('a')).status, 200)
})

test('while it is down, keys are believed for their age, and unknown ones cannot be told', async t => {
  const { server, clock, sendSignedBy } = await openFetching(t)
  t.is((await sendSignedBy('a')).status, 200)
  server.outage = new Error('connect ECONNREFUSED')
  clock.advance(INTERVAL)
  t.like(await sendSignedBy('b', OTHER_RSA), UNAVAILABLE)
  t.is((await sendSignedBy('a')).status, 200)
  clock.advance(1_000)
  t.like(await sendSignedBy('b', OTHER_RSA), UNAVAILABLE)
  t.is(server.asked, 2, 'one search an interval, failing or not')
  clock.advance(MAX_AGE)
  t.like(await sendSignedBy('a'), UNAVAILABLE)
})

test('a server that does not answer is not waited for longer than the timeout', async t => {
  const { server, clock, sendSignedBy } = await openFetching(t)
  server.delay = new Promise(() => {})
  const asked = server.nextRequest()
  const answer = sendSignedBy('a')
  await asked
  clock.advance(5_000)
  t.like(await answer, UNAVAILABLE)
  server.delay = undefined
  clock.advance(1_000)
  t.is((await sendSignedBy('a')).status, 200)
  t.is(clock.pending, 0)
})

test('a bad key in the set is unavailable, the others work', async t => {
  const { server, sendSignedBy } = await openFetching(t)
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
  server.keys = {
    a: RSA.publicKey,
    weak: weak.publicKey,
    broken: 'no key',
    ed: generateKeyPairSync('ed25519').publicKey,
  }
  t.is((await sendSignedBy('a')).status, 200)
  for (const kid of ['weak', 'broken', 'ed']) t.like(await sendSignedBy(kid), UNAVAILABLE, kid)
})

test('what is no set is unavailable', async t => {
  for (const wrong of [undefined, null, [RSA.publicKey], 'keys']) {
    const { send, clock } = await openEndpoint(t, { keys: () => wrong as never, algorithms: ['RS256'] })
    t.like(await send(issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: '0' })), UNAVAILABLE)
  }
})

test('an algorithm that is not the key’s is the token’s fault', async t => {
  const server = new KeyServer({ a: RSA.publicKey })
  const { clock, send } = await openEndpoint(t, { keys: server.fetchAll, algorithms: ['RS256', 'ES256'] })
  const token = issue(claims(clock.now()), 'RS256', RSA.privateKey, { kid: 'a' })
  t.is((await send(token)).status, 200)
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'a' })).toString('base64url')
  t.like(await send(token.replace(/^[^.]*/, header)), INVALID_TOKEN)
})
