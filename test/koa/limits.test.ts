import test from 'ava'
import type { Authenticator } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { raw } from '../support/http.ts'
import { byName, HeldResolver, openEndpoint, REQUEST, type StreamOptions } from './endpoint.ts'

const limits: [reason: string, status: number, options: StreamOptions, users: string[]][] = [
  ['identity-limit', 429, { limits: { identity: 2 } }, ['ann', 'ann', 'ann']],
  ['address-limit', 429, { limits: { address: 2 } }, ['ann', 'ben', 'cy']],
  ['process-limit', 503, { limits: { process: 2 } }, ['ann', 'ben', 'cy']],
]

for (const [reason, status, options, [first = '', second = '', third = '']] of limits) {
  for (const overload of ['postpone', 'reject'] as const) {
    test(`${reason}: one too many is turned away (${overload}), the others unharmed, until one leaves`, async t => {
      const { hub, open, story, tells } = await openEndpoint(t, { ...options, overload, retry: 2_000 })
      const as = (user: string) => open({ headers: { 'x-user': user } })
      const [one, two] = [await as(first), await as(second)]

      const refused = await as(third)
      const body = await refused.text()
      t.is(await refused.closed, 'end')
      if (overload === 'postpone') {
        t.is(refused.status, 200)
        t.is(refused.headers['content-type'], 'text/event-stream; charset=utf-8')
        const [, ms] = /^retry: (\d+)\nevent: goaway\ndata: {"reason":"overload"}\n\n$/.exec(body) ?? []
        t.true(Number(ms) >= 1_000 && Number(ms) <= 3_000, body)
      } else {
        t.is(refused.status, status)
        t.is(refused.headers['cache-control'], 'no-store')
        t.regex(refused.headers['retry-after'] ?? '', /^[123]$/)
        t.is(body, status === 429 ? 'Too Many Requests' : 'Service Unavailable')
      }
      t.deepEqual(story, ['open', 'open', `refuse ${reason} ${overload === 'postpone' ? 200 : status}`])
      t.is(hub.stats().streams, 2)

      await hub.publish('news', { data: 'unharmed' })
      for (const stream of [one, two])
        t.like(await stream.next(({ event }) => event === 'message'), { data: 'unharmed' })
      one.close()
      await tells('close client')
      t.is((await (await as(third)).next()).event, 'cursor')
    })
  }
}

test('postponed clients are told to come back at different times', async t => {
  const { hub, open } = await openEndpoint(t, { limits: { process: 1 }, retry: 3_600_000 })
  await open()
  const delays = new Set<string>()
  while (delays.size < 3) delays.add(await (await open()).text())
  t.true(hub.stats().refused['process-limit'] >= 3)
})

test('the place counts from before the resolver is asked: of requests that race for it, one gets it', async t => {
  const { subscribe, answer, asked } = new HeldResolver()
  const gathered = new Deferred<void>()
  let waiting = 20
  const authenticate: Authenticator['authenticate'] = async ctx => {
    waiting -= 1
    if (waiting === 0) gathered.resolve()
    await gathered.promise
    return byName.authenticate(ctx)
  }
  const { hub, open } = await openEndpoint(t, {
    authenticate: { ...byName, authenticate },
    subscribe,
    limits: { identity: 1 },
    overload: 'reject',
  })
  const racing = Array.from({ length: waiting }, () => open())
  await asked
  const refused = await Promise.any(racing)
  t.is(refused.status, 429)
  answer('news')
  const statuses = (await Promise.all(racing)).map(({ status }) => status)
  t.deepEqual(
    statuses.filter(status => status === 200),
    [200],
  )
  t.is(hub.stats().refused['identity-limit'], 19)
})

test('a forged X-Forwarded-For counts for nothing', async t => {
  const { hub, open } = await openEndpoint(t, { limits: { address: 1 }, overload: 'reject' })
  t.is((await open({ headers: { 'x-forwarded-for': '192.0.2.1' } })).status, 200)
  t.is((await open({ headers: { 'x-forwarded-for': '192.0.2.2', forwarded: 'for=192.0.2.3' } })).status, 429)
  t.is(hub.stats().addresses, 1)
})

test('behind a proxy that the application trusts, its clients are counted apart', async t => {
  const { hub, app, open } = await openEndpoint(t, { limits: { address: 1 }, overload: 'reject' })
  app.proxy = true
  const from = async (address: string) => (await open({ headers: { 'x-forwarded-for': address } })).status
  t.is(await from('192.0.2.1'), 200)
  t.is(await from('::ffff:192.0.2.1'), 429)
  t.is(await from('2001:db8:1:2::3'), 200)
  t.is(await from('2001:db8:1:2:ffff::4'), 429)
  t.is(await from('2001:db8:1:3::3'), 200)
  t.is(hub.stats().addresses, 3)
})

test('of 200 requests pipelined on one socket one gets a stream, and nothing is left of any after the close', async t => {
  const { hub, port, story, isEmpty } = await openEndpoint(t)
  const client = await raw(port, REQUEST.repeat(200))
  await client.until('event: cursor')
  await hub.publish('news', { data: 'still there' })
  t.is((await client.until('still there')).match(/HTTP\/1\.1 200 OK/g)?.length, 1)
  t.is(hub.stats().streams, 1)
  client.close()
  await isEmpty()
  t.deepEqual([...new Set(story)].sort(), ['close client', 'open', 'refuse pipelined 200'])
  t.is(hub.stats().opened, 1)
})

test('a request behind an ordinary one on the same socket is postponed, and asks again', async t => {
  const { port, story } = await openEndpoint(t, {})
  const client = await raw(port, REQUEST.replace('GET', 'HEAD') + REQUEST)
  await client.until(/retry: \d+\nevent: goaway\ndata: {"reason":"overload"}\n\n/)
  client.write(REQUEST)
  await client.until('event: cursor')
  t.deepEqual(story, ['refuse pipelined 200', 'open'])
  client.close()
})
