import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { inspect } from 'node:util'
import type { TestStream } from '../test-stream.ts'
import type { TestFunction } from '../broker-contract/index.ts'
import { openBench, type Bench, type MakeAuthenticator } from './bench.ts'

/**
 * What every authenticator promises, as tests: for authors of logins. Each test has an application, a hub and a server of
 * its own.
 *
 * @param test what defines a test: a function that takes a title and a body
 * @param makeAuthenticator makes one, and an application for it
 */
export function authenticatorContract(test: TestFunction, makeAuthenticator: MakeAuthenticator): void {
  const it = (title: string, body: (bench: Bench) => Promise<void>): void => {
    test(title, () => withBench(makeAuthenticator, body))
  }

  it('it says what it is, and how to log in', async ({ authenticate }) => {
    const { scheme, challenge, rejection = challenge, ambient } = authenticate
    assert.ok(typeof scheme === 'string' && scheme !== '')
    assert.equal(typeof ambient, 'boolean')
    // RFC 9110, section 11.6.1: a scheme, and parameters if there are any.
    for (const value of [challenge, rejection]) assert.match(value, /^[\w!#$%&'*+.^`|~-]+( [^\r\n]+)?$/)
  })

  it('a request without credentials is refused with its challenge', async bench => {
    const refused = await bench.refused({})
    assert.equal(refused.status, 401)
    assert.equal(refused.challenge, bench.authenticate.challenge)
  })

  it('a login opens a stream for an identity of its scheme, which cannot be changed', async bench => {
    const { authenticate, identities } = bench
    await bench.open(await bench.login())
    const [identity] = identities
    assert.ok(identity !== undefined)
    assert.equal(identity.scheme, authenticate.scheme)
    assert.ok(typeof identity.id === 'string' && identity.id !== '')
    assert.ok(Object.isFrozen(identity))
  })

  it('bad credentials open nothing', async bench => {
    for (const request of await bench.bad()) {
      const { status, challenge } = await bench.refused(request)
      assert.ok([400, 401, 403].includes(status), `${status} for ${inspect(request)}`)
      if (status === 401) assert.ok(challenge, `a 401 without a challenge for ${inspect(request)}`)
    }
    assert.deepEqual(bench.identities, [])
  })

  it('what opens something is shown nowhere: in no identity, no URL, no error and no answer', async bench => {
    const login = await bench.login()
    await bench.open(login)
    const bad = [...(await bench.bad())]
    for (const request of bad) bench.shown.push(await bench.refused(request))
    bench.shown.push(bench.identities, JSON.stringify(bench.identities))
    const shown = inspect(bench.shown, { depth: 12, maxStringLength: null, maxArrayLength: null })
    for (const secret of login.secrets) {
      assert.ok(secret !== '', 'a secret is empty')
      assert.ok(!shown.includes(secret), `${secret} is shown in ${shown}`)
    }
  })

  it('credentials open as many streams as they are good for', async bench => {
    const login = await bench.login()
    await bench.open(login)
    if (bench.authenticate.redeem === undefined) await bench.open(login)
    else assert.equal((await bench.refused(login)).status, 401)
  })

  it('what is no ticket for one stream lets into ordinary routes as well', async bench => {
    const login = await bench.login()
    if (bench.authenticate.redeem !== undefined) return
    assert.equal(await bench.visit(login), 200)
    assert.equal(await bench.visit({}), 401)
    for (const request of await bench.bad()) assert.notEqual(await bench.visit(request), 200)
  })

  it('a login that has ended opens nothing any more, and the streams that it has opened end', async bench => {
    const login = await bench.login()
    if (login.end === undefined) return
    const stream = await bench.open(login)
    await login.end()
    const ending = await endOf(stream, bench)
    assert.ok(ending !== undefined && ENDINGS.has(ending), `the stream has ended with ${String(ending)}`)
    assert.equal((await bench.refused(login)).status, 401)
  })
}

// Reasons that say that a login is over, or is to be proven anew.
const ENDINGS: ReadonlySet<string> = new Set(['logout', 'revoked', 'expired', 'unverifiable', 'server'])

// Milliseconds of the hub's time, and of real time: a look into a store has both of them before it counts as too late.
const STEP = 500
const PAUSE = 10
const PATIENCE = 30_000

/** Waits for the end of a stream, for as long as it takes to ask about its login three times. */
async function endOf({ closed }: TestStream, { authenticate, clock }: Bench): Promise<string | undefined> {
  const { interval } = authenticate.revalidation ?? { interval: 0 }
  let reason: string | undefined
  void closed.then(how => {
    reason = how
  })
  for (let passed = 0; passed < 3 * interval && reason === undefined; passed += STEP) {
    clock.advance(STEP)
    await setTimeout(PAUSE)
  }
  return Promise.race([closed, setTimeout(PATIENCE, undefined, { ref: false })])
}

async function withBench(makeAuthenticator: MakeAuthenticator, body: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = await openBench(makeAuthenticator)
  try {
    await body(bench)
  } finally {
    await bench.close()
  }
}
