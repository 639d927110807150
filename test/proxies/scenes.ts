import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { openStream, type Received } from '../support/http.ts'
import type { Proxy } from './proxy.ts'
import { openSite, servedBy, TOPIC } from './site.ts'

// Seconds: some of our heartbeats, and time for a machine that is busy with others.
const IDLE = 5
const HEARTBEAT = 1_000
const COMPRESSED = { 'accept-encoding': 'gzip, deflate, br, zstd' }

const isCursor = ({ event }: Received) => event === 'cursor'

/** What has to go well behind a proxy with the configuration that we ship for it. */
export function scenes(proxy: Proxy): void {
  const start = async (
    t: ExecutionContext,
    { heartbeat, idle }: { heartbeat?: number | false; idle?: number } = {},
  ) => {
    const site = await openSite(t, heartbeat)
    const running = await proxy.start(t, { ports: [site[0].port, site[1].port], idle })
    const events = `${running.url}/events`
    const publish = (data: string) => site[0].hub.publish(TOPIC, { data })
    return { site, running, events, publish }
  }

  test(`${proxy.name}: each event comes before the next one is published, small or large, and as it is`, async t => {
    const { events, publish } = await start(t)
    const stream = await openStream(events, { headers: COMPRESSED })
    t.is(stream.headers['content-encoding'], undefined)
    await stream.next(isCursor)
    for (const data of ['small', 'x'.repeat(100_000), 'the last']) {
      await publish(data)
      t.is((await stream.next()).data, data)
    }
    stream.close()
  })

  test(`${proxy.name}: heartbeats keep a stream in which nothing happens for more than twice its time-out`, async t => {
    const { events, publish } = await start(t, { heartbeat: HEARTBEAT, idle: IDLE })
    const stream = await openStream(events)
    await stream.next(isCursor)
    const enough = performance.now() + 2 * IDLE * 1_000
    while (performance.now() < enough) await stream.next(({ kind }) => kind === 'comment')
    await publish('still here')
    t.is((await stream.next()).data, 'still here')
    stream.close()
  })

  test(`${proxy.name}: without heartbeats it cuts such a stream, and both ends notice`, async t => {
    const { site, events } = await start(t, { heartbeat: false, idle: IDLE })
    const stream = await openStream(events)
    const { one } = servedBy(site, stream.headers)
    const [[{ reason }]] = (await Promise.all([once(one.hub, 'close'), stream.closed])) as [
      [{ reason: string }],
      string,
    ]
    t.is(reason, 'client')
  })

  test(`${proxy.name}: the application notices that a client has left${proxy.tellsLeavingAtOnce ? '' : ', by a heartbeat'}`, async t => {
    const { site, events } = await start(t, { heartbeat: proxy.tellsLeavingAtOnce ? false : HEARTBEAT })
    const stream = await openStream(events)
    await stream.next(isCursor)
    const closed = once(servedBy(site, stream.headers).one.hub, 'close')
    stream.close()
    t.like(await closed, [{ reason: 'client' }])
  })

  test(`${proxy.name}: a client that comes back resumes`, async t => {
    const { events, publish } = await start(t)
    const first = await openStream(events)
    await first.next(isCursor)
    await publish('seen')
    const { id = '' } = await first.next()
    first.close()
    for (const data of ['missed', 'missed, too']) await publish(data)
    const again = await openStream(events, { headers: { 'last-event-id': id } })
    for (const data of ['missed', 'missed, too']) t.is((await again.next()).data, data)
    t.true(isCursor(await again.next()))
    again.close()
  })

  test(`${proxy.name}: a drain reaches the client, which goes on where it was`, async t => {
    const { site, events } = await start(t)
    const stream = await openStream(events)
    const { id = '' } = await stream.next(isCursor)
    const { one, other } = servedBy(site, stream.headers)
    await Promise.all([one.hub.shutdown(one.server, { within: 5_000 }), stream.closed])
    t.like(stream.received.at(-1), { event: 'goaway', data: '{"reason":"drain"}' })
    t.is(await stream.closed, 'end')
    if (!proxy.isBalancer) return
    await other.hub.publish(TOPIC, { data: 'meanwhile' })
    const again = await openStream(events, { headers: { 'last-event-id': id } })
    t.is(servedBy(site, again.headers).one, other)
    t.is((await again.next()).data, 'meanwhile')
    again.close()
  })

  test(`${proxy.name}: a client notices that an instance has died`, async t => {
    const { site, events } = await start(t)
    const stream = await openStream(events)
    await stream.next(isCursor)
    servedBy(site, stream.headers).one.server.closeAllConnections()
    t.is(await stream.closed, proxy.passesCuts ? 'cut' : 'end')
  })

  test(`${proxy.name}: the application is told whom the page asked, and who asks`, async t => {
    const { events } = await start(t)
    const stream = await openStream(events, { headers: { 'x-forwarded-for': '203.0.113.7' } })
    await stream.next(isCursor)
    t.is(stream.headers['x-host'], new URL(events).host)
    if (proxy.isBalancer) t.is(stream.headers['x-client'], '127.0.0.1', 'and not whom it says to be')
    stream.close()
  })

  if (!proxy.isBalancer) return

  test(`${proxy.name}: a reload ${proxy.keepsStreams ? 'leaves streams as they are' : 'cuts streams, which resume'}`, async t => {
    const { running, events, publish } = await start(t)
    let stream = await openStream(events)
    const { id = '' } = await stream.next(isCursor)
    await running.reload?.()
    if (!proxy.keepsStreams) await stream.closed
    await publish('after it')
    if (!proxy.keepsStreams) stream = await openStream(events, { headers: { 'last-event-id': id } })
    const newcomer = await openStream(events)
    await newcomer.next(isCursor)
    await publish('and more')
    for (const data of ['after it', 'and more'])
      t.is((await stream.next(({ event }) => event === 'message')).data, data)
    t.is((await newcomer.next()).data, 'and more')
    for (const one of [stream, newcomer]) one.close()
  })
}
