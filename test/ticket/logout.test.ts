import test, { type ExecutionContext } from 'ava'
import type { Context } from 'koa'
import { createHub, memoryBroker, sessionCookie, urlTicket, watchSessions } from 'koa-event-stream'
import { signedIn } from 'koa-event-stream/testing'
import { CountingStore } from '../auth/session/site.ts'
import { identify, openSite as openSessionSite } from '../session/site.ts'
import { Deferred } from '../support/deferred.ts'
import { ManualClock } from '../support/manual-clock.ts'
import type { Visitor } from '../support/visitor.ts'
import { openSite } from './site.ts'

/** A site with a cookie login whose streams are opened with tickets. */
async function openShop(t: ExecutionContext, inner?: () => Promise<void>) {
  const clock = new ManualClock(Date.now())
  const broker = memoryBroker({ clock })
  const hub = createHub({ clock, broker })
  const cookie = sessionCookie({ identify })
  const tickets = urlTicket({ hub, authenticate: cookie, audience: 'events' })
  const site = await openSessionSite(t, {
    hub,
    session: { store: watchSessions(new CountingStore(), hub) },
    stream: { authenticate: tickets },
    inner: async (ctx: Context, next) => {
      if (ctx.path !== '/ticket') return next()
      // The visitor only knows GET.
      ctx.method = 'POST'
      await inner?.()
      await tickets.issue(ctx)
    },
  })
  const ticket = async (visitor: Visitor) =>
    ((await (await visitor.visit('/ticket')).json()) as { ticket: string }).ticket
  return { ...site, store: broker.store, ticket }
}

test('logging out closes the streams that were opened with tickets of the session, and no others', async t => {
  const { loggedIn, visitor, ticket, closes, hub } = await openShop(t)
  const [ada, eve] = [await loggedIn('ada'), await loggedIn('eve')]
  // Another client, which has the ticket and no cookie.
  const stream = await visitor().openStream(`/events?ticket=${await ticket(ada)}`)
  const other = await visitor().openStream(`/events?ticket=${await ticket(eve)}`)
  t.deepEqual([stream.status, other.status], [200, 200])
  await ada.visit('/logout')
  await stream.closed
  t.like(closes, [{ reason: 'logout' }])
  await hub.publish('news', { data: 'still here' })
  t.like(await other.next(({ event }) => event === 'message'), { data: 'still here' })
})

test('logging out ends the tickets of the session that have not been used, and no others', async t => {
  const { loggedIn, visitor, ticket } = await openShop(t)
  const [ada, elsewhere, eve] = [await loggedIn('ada'), await loggedIn('ada'), await loggedIn('eve')]
  const [ended, ...others] = [await ticket(ada), await ticket(elsewhere), await ticket(eve)]
  await ada.visit('/logout')
  t.is((await visitor().openStream(`/events?ticket=${ended}`)).status, 401)
  for (const one of others) t.is((await visitor().openStream(`/events?ticket=${one}`)).status, 200)
})

test('a log-out while the ticket is written: nobody gets it', async t => {
  const { loggedIn, store } = await openShop(t)
  const [writing, written] = [new Deferred<undefined>(), new Deferred<undefined>()]
  const { set } = store
  store.set = async (key, value, ttl) => {
    if (key.startsWith('ticket:')) {
      writing.resolve(undefined)
      await written.promise
    }
    await set.call(store, key, value, ttl)
  }
  const ada = await loggedIn('ada')
  const asked = ada.visit('/ticket')
  await writing.promise
  await ada.visit('/logout')
  written.resolve(undefined)
  t.is((await asked).status, 401)
})

for (const [when, reason, status] of [
  ['who is logged out while the login is looked at gets no ticket', 'logout', 401],
  ['who is disconnected then is to ask again', 'server', 503],
] as const) {
  test(when, async t => {
    const site = await openSite(t, {
      tickets: {
        authenticate: {
          ...signedIn({ id: 'ada' }),
          revalidation: {
            interval: 1_000,
            grace: 0,
            holds: async () => {
              await site.hub.disconnect({ identity: 'ada' }, reason)
              return true
            },
          },
        },
      },
    })
    t.is((await site.ask({})).status, status)
  })
}

test('a ticket that was issued where nobody had heard yet that the login has ended is not good', async t => {
  const clock = new ManualClock()
  const broker = memoryBroker({ clock })
  const hub = createHub({ clock, broker })
  const site = await openSite(t, { hub })
  const { announce } = broker
  let ticket = ''
  broker.announce = async message => {
    // Asked for now, it is as if from an instance that the message has not reached: the mark in the store is there already.
    ticket = await site.ticket()
    await announce.call(broker, message)
  }
  await hub.disconnect({ identity: 'ada' })
  t.is((await site.open(ticket)).status, 401)
})

test('who logs in again gets tickets that are good at once', async t => {
  const { loggedIn, visitor, ticket, hub } = await openShop(t)
  const ada = await loggedIn('ada')
  await ada.visit('/logout')
  await hub.disconnect({ identity: 'ada' })
  const again = await loggedIn('ada')
  t.is((await visitor().openStream(`/events?ticket=${await ticket(again)}`)).status, 200)
})

for (const [how, end] of [
  ['the identity is disconnected', { identity: 'ada' }],
  ['the token is disconnected', { token: 'j' }],
  ['both are', { identity: 'ada', token: 'j' }],
] as const) {
  test(`${how}: the stream is closed, and a ticket that was not used is not good any more`, async t => {
    const site = await openSite(t)
    const authorization = `Bearer ${site.token({ jti: 'j' })}`
    const stream = await site.open(await site.ticket({ authorization }))
    await stream.next()
    const unused = await site.ticket({ authorization })
    const others = await site.ticket({ authorization: `Bearer ${site.token({ sub: 'eve', jti: 'k' })}` })
    await site.hub.disconnect(end)
    await stream.closed
    t.like(site.closes, [{ reason: 'server' }])
    t.is((await site.open(unused)).status, 401)
    t.is((await site.open(others)).status, 200)
  })
}

test('a token that is revoked takes its tickets and streams along', async t => {
  const site = await openSite(t)
  const authorization = `Bearer ${site.token({ jti: 'j' })}`
  const stream = await site.open(await site.ticket({ authorization }))
  const unused = await site.ticket({ authorization })
  await site.hub.revoke('j', site.clock.now() + 60_000)
  await stream.closed
  t.like(site.closes, [{ reason: 'revoked' }])
  t.is((await site.open(unused)).status, 401)
  t.is((await site.ask({ authorization })).status, 401)
})

test('where the end of a login cannot be remembered, the operator is told and streams are closed', async t => {
  const site = await openSite(t)
  const stream = await site.open(await site.ticket())
  await stream.next()
  site.store.set = () => Promise.reject(new Error('no room'))
  await site.hub.disconnect({ identity: 'ada' })
  await stream.closed
  t.like(site.faults, [{ during: 'disconnect', error: { message: 'no room' } }])
})
