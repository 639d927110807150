import test from 'ava'
import { createHub, createIdentity, eventStream, urlTicket, type RateLimiter } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { byName } from '../koa/endpoint.ts'
import { openSite } from './site.ts'

/** Lets so many through, and tells the others to wait a minute. */
class FewTimes implements RateLimiter {
  readonly keys: string[] = []
  readonly #points: number

  constructor(points: number) {
    this.#points = points
  }

  async consume(key: string): Promise<unknown> {
    this.keys.push(key)
    if (this.keys.length > this.#points) throw Object.assign(Object.create(null), { msBeforeNext: 60_000 })
    return undefined
  }
}

test('a desk that requires TLS takes no login over plain HTTP', async t => {
  let asked = 0
  const { ask, refusals, uses } = await openSite(t, {
    tickets: {
      requireSecure: true,
      authenticate: {
        ...byName,
        authenticate: () => ((asked += 1), createIdentity({ id: 'ann', scheme: 'name' })),
      },
    },
  })
  t.is((await ask()).status, 403)
  t.like(refusals, [{ reason: 'insecure', status: 403 }])
  t.is(asked, 0)
  t.deepEqual(uses, [])
})

test('a desk wants TLS where its streams do, unless it is told otherwise', async t => {
  for (const [tickets, stream, status] of [
    [{}, { requireSecure: true }, 403],
    [{ requireSecure: false }, { requireSecure: true }, 200],
    [{}, {}, 200],
  ] as const) {
    const { ask } = await openSite(t, { tickets, stream })
    t.is((await ask()).status, status)
  }
})

test('a user has so many tickets waiting, and more when one is used or runs out; others are unharmed', async t => {
  const { ask, ticket, open, refusals, token, clock } = await openSite(t, { tickets: { limits: { tickets: 2 } } })
  const [first] = [await ticket(), await ticket()]
  const refused = await ask()
  t.is(refused.status, 429)
  t.is(await refused.text(), 'Too Many Requests')
  const seconds = Number(refused.headers.get('retry-after'))
  t.true(seconds >= 1 && seconds <= 5, String(seconds))
  t.like(refusals, [{ reason: 'ticket-limit', status: 429 }])
  t.is((await ask({ authorization: `Bearer ${token({ sub: 'ben' })}` })).status, 200)

  t.is((await open(first)).status, 200)
  t.is((await ask()).status, 200)
  t.is((await ask()).status, 429)
  clock.advance(30_000)
  t.is((await ask()).status, 200)
})

test('a ticket whose place cannot be given back opens its stream all the same, and that is a fault', async t => {
  const { ticket, open, hub, faults } = await openSite(t)
  const code = await ticket()
  const { leases } = (hub as unknown as { broker: { leases: { release: () => Promise<void> } } }).broker
  leases.release = () => Promise.reject(new Error('no connection'))
  t.is((await open(code)).status, 200)
  await eventually(
    () => faults.some(({ during }) => during === 'ticket'),
    () => 'no fault was told',
  )
})

test('where nobody can count tickets none is issued: 503', async t => {
  const { ask, hub, refusals } = await openSite(t)
  const { leases } = (hub as unknown as { broker: { leases: { lease: () => Promise<boolean> } } }).broker
  leases.lease = () => Promise.reject(new Error('no connection'))
  t.is((await ask()).status, 503)
  t.like(refusals, [{ reason: 'unavailable', status: 503 }])
})

for (const kind of ['address', 'identity'] as const) {
  test(`who asks too often as one ${kind} gets no ticket`, async t => {
    const limiter = new FewTimes(1)
    const { ask, refusals, uses } = await openSite(t, { tickets: { limits: { rate: { [kind]: limiter } } } })
    t.is((await ask()).status, 200)
    const before = uses.length
    const refused = await ask()
    t.is(refused.status, 429)
    t.true(Number(refused.headers.get('retry-after')) > 60)
    t.deepEqual([...new Set(limiter.keys)], [kind === 'address' ? 'address:127.0.0.1' : 'identity:ada'])
    t.like(refusals, [{ reason: `${kind}-rate`, status: 429 }])
    t.is(uses.length, before)
  })
}

test('streams of another hub than their tickets’ are refused at start-up', t => {
  const [one, other] = [createHub(), createHub()]
  const tickets = urlTicket({ hub: one, audience: 'events', authenticate: byName })
  for (const authenticate of [tickets, [byName, tickets]]) {
    t.throws(() => eventStream({ hub: other, authenticate, subscribe: () => 'news' }), {
      instanceOf: TypeError,
      message: '`authenticate` has a urlTicket() of another hub: give both the same `hub`',
    })
    t.notThrows(() => eventStream({ hub: one, authenticate, subscribe: () => 'news' }))
  }
})

for (const [title, options, message] of [
  ['a word for a flag', { requireSecure: 'yes' }, /`requireSecure` must be true or false/],
  ['no tickets', { limits: { tickets: 0 } }, /`limits\.tickets` must be a whole number from 1/],
  ['no limiter', { limits: { rate: { address: 3 } } }, /`limits\.rate\.address` must be a limiter/],
  ['a limit of streams', { limits: { identity: 3 } }, /`limits` has no option `identity`/],
] as const) {
  test(`a wrong option is refused at start-up: ${title}`, t => {
    const all = { hub: createHub(), audience: 'events', authenticate: byName, ...options }
    t.throws(() => urlTicket(all as unknown as Parameters<typeof urlTicket>[0]), { instanceOf: TypeError, message })
  })
}
