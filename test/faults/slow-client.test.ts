import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { memoryBroker, type EventStream, type Hub } from 'koa-event-stream'
import { openEndpoint, REQUEST } from '../koa/endpoint.ts'
import { onEveryKoa } from '../koa/every-koa.ts'
import { eventually } from '../support/eventually.ts'
import { raw, type RawSocket } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'

const KILOBYTES_100 = 'x'.repeat(100_000)
const BUFFER = 500_000

/** The ids that came whole. */
const idsIn = (text: string) =>
  [...text.matchAll(/^id: (\S+)\n(?:event|data): ?.*\n(?:data: ?.*\n)?\n/gm)].map(([, id]) => id)

async function stuckReader(port: number, user = 'ann'): Promise<RawSocket> {
  const client = await raw(port, REQUEST.replace('ann', user))
  await client.until('event: cursor')
  return client.pause()
}

async function publish(hub: Hub): Promise<string> {
  const id = await hub.publish('news', { data: KILOBYTES_100 })
  await turn()
  return id
}

onEveryKoa(
  'a client that does not read costs no more than its buffer, is cut, and loses nothing; others are unharmed',
  async (t, Koa) => {
    const { hub, port, open, story } = await openEndpoint(
      t,
      { buffer: { bytes: BUFFER } },
      { Koa, hub: { broker: memoryBroker({ history: { bytes: 100_000_000 } }) } },
    )
    const other = await open({ headers: { 'x-user': 'ben' } })
    const slow = await stuckReader(port)
    const ids: string[] = []
    while (!story.includes('close slow')) {
      t.true(ids.length < 500, 'It is not cut')
      ids.push(await hub.publish('news', { data: KILOBYTES_100 }))
      await other.next(({ id }) => id === ids.at(-1))
      const { bufferedBytes } = hub.stats()
      t.true(bufferedBytes <= BUFFER + 100_100, `${String(bufferedBytes)} bytes wait`)
    }
    t.deepEqual(story, ['open', 'open', 'close slow'])
    t.deepEqual(
      other.received.filter(({ event }) => event === 'message').map(({ id }) => id),
      ids,
    )

    slow.resume()
    const cursor = idsIn(await slow.ended()).at(-1) ?? ''
    const back = await open({ headers: { 'last-event-id': cursor } })
    const missed = ids.slice(ids.indexOf(cursor) + 1)
    t.true(missed.length > 0)
    await back.next(({ id }) => id === ids.at(-1))
    t.deepEqual(
      back.received.filter(({ event }) => event === 'message').map(({ id }) => id),
      missed,
    )
    t.is(hub.stats().gaps, 0)
  },
)

onEveryKoa(
  'a client that takes nothing of what waits is cut after the stall, and one that reads slowly is not',
  async (t, Koa) => {
    const clock = new ManualClock()
    const streams = new Map<string, EventStream>()
    const { hub, port, story, tells } = await openEndpoint(
      t,
      {
        buffer: { bytes: 200_000_000, stall: 30_000 },
        subscribe: stream => {
          streams.set(stream.identity.id, stream)
          return 'news'
        },
      },
      { Koa, hub: { clock } },
    )
    const waiting = (name: string) => streams.get(name)?.bufferedBytes ?? 0
    await stuckReader(port)
    const slow = await stuckReader(port, 'ben')
    for (let second = 0; second < 60; second += 10) {
      while (waiting('ben') < 1_000_000) await publish(hub)
      const before = waiting('ben')
      slow.resume()
      await eventually(
        () => waiting('ben') < before,
        () => 'The slow one reads nothing',
      )
      slow.pause()
      clock.advance(10_000)
    }
    await tells('close slow')
    t.deepEqual(story, ['open', 'open', 'close slow'])
    t.true(streams.get('ann')?.closed)
    t.false(streams.get('ben')?.closed)
    slow.close()
  },
)

for (const [how, end, reason] of [
  ['disconnected', hub => hub.disconnect({ identity: 'ann' }, 'logout'), 'logout'],
  ['drained', hub => void hub.drain({ within: 60_000 }), 'drain'],
] as [string, (hub: Hub) => unknown, string][]) {
  onEveryKoa(
    `a stuck client that is ${how} has the time of the stall to take the rest, and is then cut`,
    async (t, Koa) => {
      const clock = new ManualClock()
      const { hub, port, story, tells } = await openEndpoint(
        t,
        { buffer: { bytes: 100_000_000, stall: 8_000 }, heartbeat: false },
        { Koa, hub: { clock } },
      )
      const client = await stuckReader(port)
      while (hub.stats().bufferedBytes < 2_000_000) await publish(hub)
      await end(hub)
      clock.advance(7_000)
      t.deepEqual([hub.stats().streams, ...story], [1, 'open'])
      clock.advance(3_000)
      await tells(`close ${reason}`)
      t.is(hub.stats().streams, 0)
      client.close()
      // The beat of the instance goes on.
      await eventually(
        () => clock.pending === 1,
        () => `${String(clock.pending)} timers are left`,
      )
    },
  )
}

test('an event over the limit is refused, by the hub and by the stream, and nothing is sent', async t => {
  const { hub, open } = await openEndpoint(
    t,
    {
      subscribe: async (stream, ctx) => {
        await t.throwsAsync(stream.send({ data: KILOBYTES_100 }), { code: 'ERR_EVENT_TOO_LARGE' })
        return ctx.path.slice(1) || 'news'
      },
    },
    { hub: { maxEventBytes: 50_000 } },
  )
  const stream = await open()
  await t.throwsAsync(hub.publish('news', { data: KILOBYTES_100 }), { code: 'ERR_EVENT_TOO_LARGE' })
  await t.throwsAsync(hub.publish('news', { data: '\n'.repeat(10_000) }), { code: 'ERR_EVENT_TOO_LARGE' })
  await hub.publish('news', { data: 'fits' })
  t.like(await stream.next(({ event }) => event === 'message'), { data: 'fits' })
  t.is(hub.stats().published, 1)
})
