import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import Koa from 'koa'
import { createHub, createIdentity, eventStream, urlTicket, type Authenticator } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { openStream, serve } from '../support/http.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

const ada: Authenticator = {
  scheme: 'key',
  challenge: 'Key realm="events"',
  ambient: false,
  authenticate: () => createIdentity({ id: 'ada', scheme: 'key', session: 'a session key' }),
}

async function openInstance(t: ExecutionContext, { url: redis }: RedisServer) {
  const hub = createHub({ broker: redisBroker({ ...PATIENT, client: redis }) })
  t.teardown(() => hub.close())
  const tickets = urlTicket({ hub, authenticate: ada, audience: 'events' })
  const streams = eventStream({
    hub,
    authenticate: tickets,
    limits: { identity: 1_000 },
    overload: 'reject',
    subscribe: () => 'news',
  })
  const app = new Koa()
  app.use(ctx => (ctx.path === '/ticket' ? tickets.issue(ctx) : streams(ctx)))
  const { url } = await serve(app, t)
  const ask = () => fetch(`${url}/ticket`, { method: 'POST' })
  return {
    hub,
    ask,
    ticket: async () => ((await (await ask()).json()) as { ticket: string }).ticket,
    open: (ticket: string) => openStream(`${url}/events?ticket=${ticket}`),
  }
}

test('two instances race for a ticket, fifty times: each time one of them has it', async t => {
  const redis = await startRedis(t)
  const [one, two] = [await openInstance(t, redis), await openInstance(t, redis)]
  let first = 0
  for (let round = 0; round < 50; round += 1) {
    const ticket = await one.ticket()
    // Whoever is asked first has a little more of a chance.
    const [here, there] = round % 2 === 0 ? [one, two] : [two, one]
    const streams = await Promise.all([here.open(ticket), there.open(ticket)])
    const statuses = streams.map(({ status }) => status)
    t.deepEqual(statuses.toSorted(), [200, 401], `round ${String(round)}`)
    if (statuses[0] === 200) first += 1
    for (const stream of streams) stream.close()
  }
  t.log(`whoever was asked first had ${String(first)} of 50`)
})

test('of tickets that one user asks for on two instances at once, so many are issued as may be waiting', async t => {
  const redis = await startRedis(t)
  const [one, two] = [await openInstance(t, redis), await openInstance(t, redis)]
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? one : two).ask()))
  const issued = answers.filter(({ status }) => status === 200)
  t.is(issued.length, 20)
  t.is(answers.filter(({ status }) => status === 429).length, 30)
  const { ticket } = (await issued[0]?.json()) as { ticket: string }
  t.is((await two.open(ticket)).status, 200)
  t.deepEqual([(await one.ask()).status, (await two.ask()).status], [200, 429])
})

test('an instance that drains uses up no ticket, and another takes it', async t => {
  const redis = await startRedis(t)
  const [one, two] = [await openInstance(t, redis), await openInstance(t, redis)]
  const ticket = await one.ticket()
  await one.hub.drain({ within: 1 })
  t.is((await one.open(ticket)).status, 503)
  t.is((await two.open(ticket)).status, 200)
})

test('what ends a login on one instance ends its tickets and streams on all', async t => {
  const redis = await startRedis(t)
  const [one, two] = [await openInstance(t, redis), await openInstance(t, redis)]
  const stream = await two.open(await one.ticket())
  await stream.next()
  const unused = await one.ticket()
  await one.hub.disconnect({ session: 'a session key' }, 'logout')
  t.is(await stream.closed, 'end')
  t.is((await two.open(unused)).status, 401)
})

test('Redis has a ticket’s hash, for half a minute, and not the ticket', async t => {
  const redis = await startRedis(t)
  const { ticket } = await openInstance(t, redis)
  const code = await ticket()
  const admin = new Redis(redis.url)
  t.teardown(() => {
    admin.disconnect()
  })
  const [key = '', ...others] = await admin.keys('*:ticket:*')
  t.deepEqual(others, [])
  const [places = ''] = await admin.keys('*:places:*')
  t.false((await admin.zrange(places, '0', '-1')).some(holder => holder.includes(code)))
  t.false(key.includes(code))
  t.false((await admin.get(key))?.includes(code))
  const left = await admin.pttl(key)
  t.true(left > 0 && left <= 30_000, String(left))
})
