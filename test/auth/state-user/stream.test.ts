import test, { type ExecutionContext } from 'ava'
import type { Context, Middleware } from 'koa'
import { createIdentity, stateUser, type Identity, type StateUserOptions } from 'koa-event-stream'
import { openEndpoint, byName, type Setup } from '../../koa/endpoint.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const SECOND = 1_000
const INVALID_TOKEN =
  'Bearer realm="events", error="invalid_token", error_description="The access token is not valid here"'

/** What stands in for middleware that verifies: it takes the user from a header. */
const verify: Middleware = (ctx, next) => {
  const user = ctx.get('x-verified')
  if (user !== '') ctx.state.user = JSON.parse(user)
  return next()
}

/** Ann's verified user, in the header above. */
function verified(user: Record<string, unknown> = {}): { headers: Record<string, string> } {
  return { headers: { 'x-user': '', 'x-verified': JSON.stringify({ id: 'ann', token: 'of-ann', ...user }) } }
}

const itself = (user: unknown) => user

/** An endpoint on a clock that the test moves, and the identities that its resolver was asked about. */
async function openVerified(t: ExecutionContext, options: Partial<StateUserOptions> = {}, setup: Setup = {}) {
  const clock = new ManualClock(Date.now())
  const identities: Identity[] = []
  const endpoint = await openEndpoint(
    t,
    {
      authenticate: [stateUser({ identify: itself, clock, ...options }), byName],
      origins: ['https://friend.example'],
      heartbeat: false,
      subscribe: ({ identity }) => {
        identities.push(identity)
        return 'news'
      },
    },
    { outer: [verify], hub: { clock }, ...setup },
  )
  return { ...endpoint, clock, identities }
}

test('the verified user has the stream, with all that identify says', async t => {
  const { open, identities, clock } = await openVerified(t)
  const expiresAt = clock.now() + 60 * SECOND
  const fields = { id: 7, expiresAt, token: 'a-jti', session: 'a-key', claims: { admin: true } }
  await (await open(verified(fields))).next()
  t.deepEqual(identities, [createIdentity({ ...fields, id: '7', scheme: 'user' })])
  t.is(identities[0]?.session, 'a-key')
  t.false(JSON.stringify(identities).includes('a-key'))
})

test('identify is given the user and the context, and may take its time', async t => {
  const identify = async (user: unknown, ctx: Context) => ({
    id: `${String(user)} at ${ctx.path}`,
    expiresAt: Infinity,
  })
  const { open, identities } = await openVerified(t, { identify, property: 'name' }, { outer: [nameEva] })
  await (await open(verified())).next()
  t.is(identities[0]?.id, 'eva at /')
})

const nameEva: Middleware = (ctx, next) => {
  ctx.state.name = 'eva'
  return next()
}

test('without a user, or with nobody that identify knows, the next is asked', async t => {
  let answer: unknown
  const { open, identities } = await openVerified(t, { identify: () => answer })
  t.is(
    (await open({ headers: { 'x-user': '' } })).headers['www-authenticate'],
    'Name realm="events", Cookie realm="events"',
  )
  await (await open()).next()
  t.like(identities, [{ scheme: 'name' }])
  for (answer of [undefined, null, false, '', 0]) t.is((await open(verified())).status, 401)
})

test('an answer that is no user is an error of the application, and takes no place', async t => {
  let answer: unknown
  const { open, errors, hub } = await openVerified(
    t,
    { identify: () => answer },
    { expectsErrors: true, outer: [verify] },
  )
  const junk = [
    'ann',
    {},
    { id: '' },
    { id: 'ann', expiresAt: NaN },
    { id: 'ann', token: 7 },
    { id: 'ann', claims: [] },
  ]
  for (answer of junk) t.is((await open(verified())).status, 500, JSON.stringify(answer))
  for (const error of errors) t.true(error instanceof TypeError)
  t.is(errors.length, junk.length)
  t.is(hub.stats().streams, 0)
})

test('a foreign page may not use the login, unless no browser sends it by itself', async t => {
  const foreign = { origin: 'https://foreign.example', 'sec-fetch-site': 'cross-site' }
  const from = (headers: Record<string, string>) => ({ headers: { ...verified().headers, ...headers } })
  const guarded = await openVerified(t)
  t.is((await guarded.open(from(foreign))).status, 403)
  t.is((await guarded.open(from({ 'sec-fetch-site': 'cross-site' }))).status, 403)
  t.is((await guarded.open(from({ ...foreign, origin: 'https://friend.example' }))).status, 200)
  t.is(guarded.identities.length, 1)
  const byHeader = await openVerified(t, { ambient: false })
  t.is((await byHeader.open(from(foreign))).status, 200)
})

test('the stream ends with the login, and an old login gets none', async t => {
  const { open, clock, story, identities } = await openVerified(t, { ambient: false })
  const user = verified({ expiresAt: clock.now() + 10 * SECOND })
  const stream = await open(user)
  await stream.next()
  clock.advance(9 * SECOND)
  t.deepEqual(story, ['open'])
  clock.advance(2 * SECOND)
  t.is(await stream.closed, 'end')
  const late = await open(user)
  t.like(late, { status: 401, headers: { 'www-authenticate': INVALID_TOKEN } })
  t.deepEqual(story, ['open', 'close expired', 'refuse unauthenticated 401'])
  t.is(identities.length, 1)
})

test('a revoked token and an ended session close their streams', async t => {
  const { open, hub, clock } = await openVerified(t, { ambient: false })
  const [token, session, other] = [
    await open(verified({ token: 'a-jti' })),
    await open(verified({ session: 'a-key' })),
    await open(verified()),
  ]
  await hub.revoke('a-jti', clock.now() + 60 * SECOND)
  t.is(await token.closed, 'end')
  t.like(await open(verified({ token: 'a-jti' })), { status: 401, headers: { 'www-authenticate': INVALID_TOKEN } })
  await hub.disconnect({ session: 'a-key' })
  t.is(await session.closed, 'end')
  await hub.publish('news', { data: 'still here' })
  t.like(await other.next(({ event }) => event === 'message'), { data: 'still here' })
})

test('`holds` is asked before the stream and every interval, and ends it', async t => {
  const asked: string[] = []
  let answer = false
  const holds = async ({ id }: Identity) => {
    asked.push(id)
    return answer
  }
  const { open, clock, story, tells } = await openVerified(t, { holds })
  t.is((await open(verified())).status, 401)
  answer = true
  const stream = await open(verified())
  await stream.next()
  clock.advance(31 * SECOND)
  t.deepEqual(asked, ['ann', 'ann', 'ann'])
  await new Promise(setImmediate)
  answer = false
  clock.advance(31 * SECOND)
  await tells('close logout')
  t.is(await stream.closed, 'end')
  t.deepEqual(story, ['refuse unauthenticated 401', 'open', 'close logout'])
})

test('`holds` may fail for the grace', async t => {
  let fails = false
  const holds = () => {
    if (fails) throw new Error('nobody can tell')
    return true
  }
  const { open, clock, story, tells } = await openVerified(t, { holds, revalidate: 10 * SECOND, grace: 30 * SECOND })
  const stream = await open(verified())
  await stream.next()
  fails = true
  clock.advance(11 * SECOND)
  await tells('fault revalidation')
  t.false(story.includes('close unverifiable'))
  for (let n = 0; n < 4; n += 1) {
    await new Promise(setImmediate)
    clock.advance(11 * SECOND)
  }
  await tells('close unverifiable')
  t.is(await stream.closed, 'end')
})

test('a user without an end is an error that says what to do', async t => {
  const endless = { headers: { 'x-user': '', 'x-verified': '{"id":"ann"}' } }
  const { open, errors } = await openVerified(t, {}, { expectsErrors: true, outer: [verify] })
  t.is((await open(endless)).status, 500)
  t.regex(String(errors[0]), /TypeError: stateUser\(\) cannot tell when the login ends.*`expiresAt`.*`holds`/)
  const asked = await openVerified(t, { holds: () => true })
  t.is((await asked.open(endless)).status, 200)
  const meant = await openVerified(t, { identify: () => ({ id: 'ann', expiresAt: Infinity }) })
  t.is((await meant.open(endless)).status, 200)
})
