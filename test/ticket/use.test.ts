// The use of a ticket, from redeeming it to the end of its stream, always on the same kind of site.
import { once } from 'node:events'
import test from 'ava'
import { urlTicket, type Identity } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { openSite } from './site.ts'

const CODE = 'A'.repeat(43)

const statuses = (streams: readonly { status: number }[]) => streams.map(({ status }) => status).sort()

test('a ticket opens one stream, as whom it was issued to', async t => {
  const seen: Identity[] = []
  const site = await openSite(t, {
    stream: {
      subscribe: stream => {
        seen.push(stream.identity)
        return 'news'
      },
    },
  })
  const ticket = await site.ticket({ authorization: `Bearer ${site.token({ sub: 'eve', jti: 'j', role: 'clerk' })}` })
  const stream = await site.open(ticket)
  t.is(stream.status, 200)
  t.is((await stream.next()).event, 'cursor')
  t.is(stream.headers['cache-control'], 'no-store, no-transform')
  t.is(stream.headers['referrer-policy'], 'no-referrer')
  const [identity] = seen
  t.like(identity, { id: 'eve', scheme: 'ticket', token: 'j', claims: { sub: 'eve', role: 'clerk' } })
  t.is(identity?.expiresAt, site.clock.now() + 60_000)

  const again = await site.open(ticket)
  t.is(again.status, 401)
  t.is(again.headers['www-authenticate'], 'Ticket realm="events", error="invalid_ticket"')
  t.is(seen.length, 1, 'the resolver is not asked')
})

test('of many requests with one ticket, one gets a stream, and one reaches the resolver', async t => {
  let resolved = 0
  const { ticket, open, refusals, hub, store } = await openSite(t, {
    stream: {
      subscribe: () => {
        resolved += 1
        return 'news'
      },
    },
  })
  const code = await ticket()
  const gathered = new Deferred<undefined>()
  const { get } = store
  let looked = 0
  store.get = async key => {
    const value = await get(key)
    looked += 1
    if (looked === 20) gathered.resolve(undefined)
    if (key.startsWith('ticket:')) await gathered.promise
    return value
  }
  const streams = await Promise.all(Array.from({ length: 20 }, () => open(code)))
  t.deepEqual(statuses(streams), [200, ...Array<number>(19).fill(401)])
  t.is(resolved, 1)
  t.is(refusals.length, 19)
  t.is(hub.stats().streams, 1)
})

test('an expired ticket is refused', async t => {
  const { ticket, open, clock } = await openSite(t, { tickets: { ttl: 5_000 } })
  const [early, late] = [await ticket(), await ticket()]
  clock.advance(4_999)
  t.is((await open(early)).status, 200)
  clock.advance(1)
  t.is((await open(late)).status, 401)
})

test('a ticket of another audience is refused, and still good for its own', async t => {
  const site = await openSite(t)
  const elsewhere = await openSite(t, {
    hub: site.hub,
    tickets: { audience: 'admin' },
  })
  const ticket = await site.ticket()
  t.is((await elsewhere.open(ticket)).status, 401)
  t.is((await site.open(ticket)).status, 200)
})

for (const [asked, used, status] of [
  ['https://app.example.com', 'https://app.example.com', 200],
  ['https://app.example.com', 'https://elsewhere.example', 401],
  ['https://app.example.com', 'http://app.example.com', 401],
  ['https://app.example.com', 'null', 401],
  ['null', 'null', 200],
  ['null', 'https://elsewhere.example', 401],
  ['https://app.example.com', undefined, 200],
  [undefined, 'https://elsewhere.example', 200],
] as const) {
  test(`asked for with Origin ${String(asked)}, used with ${String(used)}: ${status}`, async t => {
    const { ticket, open } = await openSite(t)
    const code = await ticket(asked === undefined ? {} : { origin: asked })
    const first = await open(code, used === undefined ? {} : { headers: { origin: used } })
    t.is(first.status, status)
    const back = await open(code, asked === undefined ? {} : { headers: { origin: asked } })
    t.is(back.status, status === 200 ? 401 : 200, 'a request from elsewhere has not used it up')
  })
}

test('an image on a foreign page, which names no Origin, cannot use the ticket of another page', async t => {
  const { ticket, open } = await openSite(t)
  const origin = 'https://app.example.com'
  const code = await ticket({ origin })
  for (const site of ['cross-site', 'same-site']) {
    t.is((await open(code, { headers: { 'sec-fetch-site': site } })).status, 401, site)
  }
  t.is((await open(code, { headers: { 'sec-fetch-site': 'same-origin' } })).status, 200)
})

for (const method of ['HEAD', 'OPTIONS', 'POST', 'DELETE']) {
  test(`${method} does not use a ticket up`, async t => {
    const { ticket, open } = await openSite(t)
    const code = await ticket()
    const other = await open(code, { method })
    t.is(other.status, method === 'HEAD' ? 200 : 401)
    t.is((await open(code)).status, 200)
  })
}

test('nor does an Accept that fits no stream, nor a limit', async t => {
  const { ticket, open, closes, hub } = await openSite(t, { stream: { limits: { identity: 1 }, overload: 'reject' } })
  const [first, second] = [await ticket(), await ticket()]
  t.is((await open(first, { headers: { accept: 'text/html' } })).status, 406)
  const stream = await open(first)
  t.is(stream.status, 200)
  t.is((await open(second)).status, 429)
  const closed = once(hub, 'close')
  stream.close()
  await closed
  t.is(closes.length, 1)
  t.is((await open(second)).status, 200)
})

test('nor a request whose client leaves while its ticket is looked up', async t => {
  const [asked, answer, gone] = [new Deferred<undefined>(), new Deferred<undefined>(), new Deferred<undefined>()]
  const { ticket, open, store, uses } = await openSite(t, {
    outer: [
      (ctx, next) => {
        if (ctx.path === '/events') ctx.res.once('close', () => gone.resolve(undefined))
        return next()
      },
    ],
  })
  const code = await ticket()
  const { get } = store
  store.get = async key => {
    const value = await get(key)
    asked.resolve(undefined)
    await answer.promise
    return value
  }
  const leaving = new AbortController()
  const left = open(code, { signal: leaving.signal })
  await asked.promise
  leaving.abort()
  await t.throwsAsync(left)
  await gone.promise
  store.get = get
  answer.resolve(undefined)
  t.is((await open(code)).status, 200)
  t.is(uses.filter(({ method }) => method === 'take').length, 1)
})

test('a resolver that refuses has used the ticket up', async t => {
  let open = false
  const site = await openSite(t, {
    stream: {
      subscribe: (_stream, ctx) => {
        if (!open) ctx.throw(403)
        return 'news'
      },
    },
  })
  const ticket = await site.ticket()
  t.is((await site.open(ticket)).status, 403)
  open = true
  t.is((await site.open(ticket)).status, 401)
})

for (const [what, query, status] of [
  ['two tickets', `ticket=${CODE}&ticket=${CODE}`, 400],
  ['two, one of them encoded', `ticket=${CODE}&%74icket=${CODE}`, 400],
  ['an empty one', 'ticket=', 400],
  ['a bare name', 'ticket', 400],
  ['a short one', `ticket=${CODE.slice(1)}`, 401],
  ['one character too many', `ticket=${CODE}A`, 401],
  ['an oversized one', `ticket=${'A'.repeat(12_000)}`, 401],
  ['wrong characters', `ticket=${CODE.slice(1)}%00`, 401],
  ['a broken escape', 'ticket=%', 401],
  ['none', 'other=1', 401],
] as const) {
  test(`${what}: ${status}, and the store is not asked`, async t => {
    const { url, uses, refusals } = await openSite(t)
    const refused = await fetch(`${url}/events?${query}`)
    t.is(refused.status, status)
    t.like(refusals.at(-1), { reason: 'unauthenticated', status })
    t.deepEqual(uses, [])
  })
}

test('an unknown ticket is refused', async t => {
  const { open, uses } = await openSite(t)
  t.is((await open(CODE)).status, 401)
  t.deepEqual(
    uses.map(({ method }) => method),
    ['get'],
  )
})

for (const method of ['get', 'take'] as const) {
  test(`where the store fails to ${method}: 503, told to the operator only`, async t => {
    const site = await openSite(t)
    const ticket = await site.ticket()
    site.store[method] = () => Promise.reject(new Error('away'))
    const refused = await site.open(ticket)
    t.is(refused.status, 503)
    t.is(await refused.text(), 'Service Unavailable')
    t.like(site.refusals, [{ reason: 'unavailable', status: 503, error: { code: 'ERR_AUTH_UNAVAILABLE' } }])
    t.is(site.hub.stats().streams, 0)
  })
}

test('the stream is closed after `maxAge`, and its URL opens no other', async t => {
  const { ticket, open, token, clock, closes } = await openSite(t, {
    tickets: { maxAge: 600_000 },
    stream: { heartbeat: false },
  })
  const exp = clock.now() / 1_000 + 86_400
  const code = await ticket({ authorization: `Bearer ${token({ exp })}` })
  const stream = await open(code)
  await stream.next()
  clock.advance(539_000)
  t.deepEqual(closes, [])
  clock.advance(61_000)
  await stream.closed
  t.like(closes, [{ reason: 'expired' }])
  t.is((await open(code)).status, 401)
})

test('the stream is closed when the login of its issuer expires, if that is earlier', async t => {
  const { ticket, open, clock, closes } = await openSite(t, { stream: { heartbeat: false } })
  const stream = await open(await ticket())
  await stream.next()
  clock.advance(60_000)
  await stream.closed
  t.like(closes, [{ reason: 'expired' }])
})

test('tickets may come in a parameter of another name', async t => {
  const { ticket, url, open } = await openSite(t, { tickets: { param: 'pass' } })
  const code = await ticket()
  t.is((await open(code)).status, 401)
  t.is((await fetch(`${url}/events?pass=${code}`)).status, 200)
})

test('beside other authenticators, each finds its own', async t => {
  const tokens = await openSite(t)
  const { hub } = tokens
  const authenticate = urlTicket({
    hub,
    audience: 'events',
    authenticate: { scheme: 'never', challenge: 'Never', ambient: false, authenticate: () => undefined },
  })
  const byName = {
    scheme: 'name',
    challenge: 'Name realm="events"',
    ambient: false,
    authenticate: () => ({ id: 'ann', scheme: 'name' }),
  }
  const seen: string[] = []
  const site = await openSite(t, {
    hub,
    stream: { authenticate: [authenticate, byName], subscribe: ({ identity }) => void seen.push(identity.scheme) },
  })
  t.is((await site.open(await tokens.ticket())).status, 200)
  t.is((await fetch(`${site.url}/events`)).status, 200)
  t.is((await site.open(CODE)).status, 401, 'a bad ticket is not saved by another login')
  t.deepEqual(seen, ['ticket', 'name'])
})
