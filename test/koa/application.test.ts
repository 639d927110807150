// One table of functions of the application that throw, hang or return junk, and what the client gets then.
import test from 'ava'
import type { Context } from 'koa'
import { createIdentity, type Authenticator } from 'koa-event-stream'
import { ManualClock } from '../support/manual-clock.ts'
import { eventually } from '../support/eventually.ts'
import { byName, openEndpoint, type StreamOptions } from './endpoint.ts'

/**
 * Each function that an application gives, and each way in which it can go wrong: what the caller gets, and that nobody
 * else loses anything. An unhandled rejection or an uncaught exception fails the file.
 */

const failure = new Error('a secret')

type Way = 'throws' | 'rejects' | 'hangs' | 'answers junk' | 'answers a hostile thenable' | 'answers a hostile object'

const WAYS: Readonly<Record<Way, () => unknown>> = {
  throws: () => {
    throw failure
  },
  rejects: () => Promise.reject(failure),
  hangs: () => new Promise(() => undefined),
  'answers junk': () => 42,
  'answers a hostile thenable': () => ({
    get then(): never {
      throw failure
    },
  }),
  'answers a hostile object': () => ({
    get id(): never {
      throw failure
    },
    get topic(): never {
      throw failure
    },
    get msBeforeNext(): never {
      throw failure
    },
  }),
}

interface Outcome {
  readonly status: number
  /** What the hub tells of it, `undefined` for nothing. */
  readonly told?: string | undefined
}

const FAILED: Outcome = { status: 500, told: 'refuse unavailable 500' }
const LATE: Outcome = { status: 503, told: 'refuse unavailable 503' }
const FAULTY = (during: string): Outcome => ({ status: 200, told: `fault ${during}` })
const FINE: Outcome = { status: 200 }

/** For ann alone: everybody else has the ordinary one. */
function forAnn(name: 'authenticate' | 'redeem' | 'forget', way: () => unknown): Authenticator {
  const own = (ctx: Context): unknown => {
    if (ctx.get('x-user') === 'ann') return way()
    return name === 'authenticate' ? byName.authenticate(ctx) : undefined
  }
  return { ...byName, [name]: own as Authenticator['authenticate'] }
}

function limiter(way: () => unknown) {
  return { consume: (key: string) => (key.includes('ann') ? way() : Promise.resolve()) as Promise<unknown> }
}

function rejecting(way: () => unknown): () => unknown {
  return () => {
    const answer = way()
    // What a limiter says by throwing.
    throw answer
  }
}

interface Case {
  readonly what: string
  readonly options: (way: () => unknown) => StreamOptions
  readonly outcomes: Readonly<Record<Way, Outcome>>
}

const CASES: readonly Case[] = [
  {
    what: 'authenticate',
    options: way => ({ authenticate: forAnn('authenticate', way) }),
    outcomes: {
      throws: FAILED,
      rejects: FAILED,
      hangs: LATE,
      'answers junk': FAILED,
      'answers a hostile thenable': FAILED,
      'answers a hostile object': FAILED,
    },
  },
  {
    what: 'redeem',
    options: way => ({ authenticate: forAnn('redeem', way) }),
    outcomes: {
      throws: FAILED,
      rejects: FAILED,
      hangs: LATE,
      'answers junk': FINE,
      'answers a hostile thenable': FAILED,
      'answers a hostile object': FINE,
    },
  },
  {
    what: 'forget',
    options: way => ({
      authenticate: forAnn('forget', way),
      subscribe: stream => (stream.identity.id === 'ann' ? null : 'news'),
    }),
    outcomes: {
      throws: { status: 204, told: 'fault forget' },
      rejects: { status: 204, told: 'fault forget' },
      hangs: { status: 204, told: 'fault forget' },
      'answers junk': { status: 204 },
      'answers a hostile thenable': { status: 204, told: 'fault forget' },
      'answers a hostile object': { status: 204 },
    },
  },
  {
    what: 'holds, when a stream is opened',
    options: way => ({
      authenticate: {
        ...byName,
        revalidation: {
          interval: 1_000_000,
          grace: 0,
          holds: ({ id }) => (id === 'ann' ? way() : true) as boolean,
        },
      },
    }),
    outcomes: {
      throws: { status: 503, told: 'refuse unavailable 503' },
      rejects: LATE,
      hangs: LATE,
      'answers junk': FINE,
      'answers a hostile thenable': LATE,
      'answers a hostile object': FINE,
    },
  },
  {
    what: 'subscribe',
    options: way => ({ subscribe: stream => (stream.identity.id === 'ann' ? way() : 'news') as string }),
    outcomes: {
      throws: { status: 500, told: 'refuse resolver 500' },
      rejects: { status: 500, told: 'refuse resolver 500' },
      hangs: { status: 503, told: 'refuse resolver 503' },
      'answers junk': { status: 500, told: 'refuse resolver 500' },
      'answers a hostile thenable': { status: 500, told: 'refuse resolver 500' },
      'answers a hostile object': { status: 500, told: 'refuse resolver 500' },
    },
  },
  {
    what: 'a limiter',
    options: way => ({ limits: { timeout: 10_000, rate: { identity: limiter(way) } } }),
    outcomes: {
      throws: FAULTY('rate limit'),
      rejects: FAULTY('rate limit'),
      hangs: FAULTY('rate limit'),
      'answers junk': FINE,
      'answers a hostile thenable': FAULTY('rate limit'),
      'answers a hostile object': FINE,
    },
  },
  {
    what: 'a limiter that throws what it',
    options: way => ({ limits: { rate: { identity: limiter(rejecting(way)) } } }),
    outcomes: {
      throws: FAULTY('rate limit'),
      rejects: FAULTY('rate limit'),
      hangs: FAULTY('rate limit'),
      'answers junk': FAULTY('rate limit'),
      'answers a hostile thenable': FAULTY('rate limit'),
      'answers a hostile object': FAULTY('rate limit'),
    },
  },
]

for (const { what, options, outcomes } of CASES) {
  for (const [way, call] of Object.entries(WAYS) as [Way, () => unknown][]) {
    // What is thrown here is a promise that nobody else could handle.
    if (what.startsWith('a limiter that throws') && way === 'rejects') continue
    test(`${what} ${way}`, async t => {
      const clock = new ManualClock()
      let called = 0
      const counted = () => {
        called += 1
        return call()
      }
      const setup = { hub: { clock }, expectsErrors: true }
      const { hub, open, story, isEmpty } = await openEndpoint(t, options(counted), setup)
      const other = await open({ headers: { 'x-user': 'ben' } })
      t.is(other.status, 200)
      const opening = open()
      if (way === 'hangs') {
        await eventually(
          () => called > 0,
          () => 'It was not called',
        )
        clock.advance(10_000)
      }
      const { status, told } = outcomes[way]
      const answer = await opening
      t.is(answer.status, status)
      t.notRegex(JSON.stringify(answer.headers), /secret/)
      if (told !== undefined) {
        await eventually(
          () => story.includes(told),
          () => JSON.stringify(story),
        )
      }
      t.deepEqual(
        story.filter(chapter => chapter !== 'open'),
        told === undefined ? [] : [told],
      )
      await hub.publish('news', { data: 'unharmed' })
      t.like(await other.next(({ event }) => event === 'message'), { data: 'unharmed' })
      answer.close()
      other.close()
      await isEmpty()
    })
  }
}

for (const [how, concealing] of [
  ['throws', WAYS.throws],
  ['rejects', WAYS.rejects],
  ['hangs', WAYS.hangs],
  ['answers a hostile thenable', WAYS['answers a hostile thenable']],
] as const) {
  test(`an authenticator whose conceal ${how} is a refusal that is counted: the credentials may be in the open`, async t => {
    const authenticate = { ...byName, conceal: concealing }
    const { open, story, errors, isEmpty } = await openEndpoint(t, { authenticate }, { expectsErrors: true })
    t.is((await open()).status, 500)
    t.deepEqual(story, ['refuse unavailable 500'])
    t.is(errors.length, 1)
    await isEmpty()
  })
}

test('an identity with getters is asked once, and counted by what it answered then', async t => {
  const ids = ['ann', 'eve', 'eve', 'eve']
  class User {
    readonly scheme = 'name'
    get id(): string {
      return ids.shift() ?? 'nobody'
    }
  }
  const seen: unknown[] = []
  const { hub, open, isEmpty } = await openEndpoint(t, {
    authenticate: { ...byName, authenticate: () => new User() },
    subscribe: stream => {
      seen.push(stream.identity.id, Object.isFrozen(stream.identity))
      return 'news'
    },
  })
  const stream = await open()
  await stream.next()
  t.is(hub.stats().identities, 1)
  await hub.disconnect({ identity: String(seen[0]) })
  await stream.closed
  await isEmpty()
  t.is(seen[1], true)
  t.is(seen[0], 'eve')
})

test('what createIdentity() made is handed on as it is', async t => {
  const identity = createIdentity({ id: 'ann', scheme: 'name', session: 'key' })
  const { open } = await openEndpoint(t, {
    authenticate: { ...byName, authenticate: () => identity },
    subscribe: stream => {
      t.is(stream.identity, identity)
      return 'news'
    },
  })
  t.is((await open()).status, 200)
})
