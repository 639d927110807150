import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { memoryBroker, type EventStream } from 'koa-event-stream'
import { openEndpoint } from '../koa/endpoint.ts'
import { onEveryTransport } from '../koa/every-transport.ts'
import { messages } from '../hub/site.ts'
import { openUnread } from './unread.ts'

const KILOBYTES_10 = 'x'.repeat(10_000)
const numbers = (texts: readonly string[]) => texts.map(text => Number(text.split(' ')[0]))

for (const [when, before] of [
  ['', () => undefined],
  [' behind something of their own', (stream: EventStream) => void stream.send({ data: '-1 own' })],
] as const) {
  onEveryTransport(
    `120 events of 10 kB in one turn reach healthy clients, all and in order, without a gap${when}`,
    async (t, start) => {
      const streams: EventStream[] = []
      const { ask, hub, story } = await start(
        {
          subscribe: stream => {
            streams.push(stream)
            return 'news'
          },
        },
        { hub: { broker: memoryBroker({ history: { bytes: 100_000_000 } }) } },
      )
      const clients = [(await ask()).read(), (await ask()).read()]
      for (const client of clients) await client.next(({ event }) => event === 'cursor')
      for (const stream of streams) before(stream)
      await Promise.all(Array.from({ length: 120 }, (_, n) => hub.publish('news', { data: `${n} ${KILOBYTES_10}` })))
      for (const client of clients) {
        await client.next(({ data }) => data.startsWith('119 '))
        t.deepEqual(
          numbers(messages(client.received)).filter(n => n >= 0),
          Array.from({ length: 120 }, (_, n) => n),
        )
      }
      t.deepEqual(story, ['open', 'open'])
    },
  )
}

onEveryTransport(
  'with the history that there is by default, a burst over the buffer loses nothing',
  async (t, start) => {
    const { ask, hub, story } = await start()
    const client = (await ask()).read()
    await client.next(({ event }) => event === 'cursor')
    await Promise.all(Array.from({ length: 120 }, (_, n) => hub.publish('news', { data: `${n} ${KILOBYTES_10}` })))
    await client.next(({ data }) => data.startsWith('119 '))
    t.deepEqual(
      numbers(messages(client.received)),
      Array.from({ length: 120 }, (_, n) => n),
    )
    t.deepEqual(story, ['open'])
  },
)

test('over `limits.buffered` the slowest clients are cut first, and the others lose nothing', async t => {
  const MEBIBYTE = 1_048_576
  const { hub, story, tells, isEmpty, url } = await openEndpoint(t, {
    buffer: { bytes: 50_000_000 },
    limits: { buffered: 4 * MEBIBYTE },
    subscribe: stream => (stream.identity.id === 'ann' ? 'big' : ['big', 'news']),
  })
  const closed: string[] = []
  hub.on('close', ({ stream }) => closed.push(stream.identity?.id ?? ''))
  const first = await openUnread(url, 'ann')
  const publishTo = async (topic: string, isEnough: () => boolean) => {
    for (let n = 0; n < 1_000 && !isEnough(); n += 1) {
      await hub.publish(topic, { data: 'x'.repeat(100_000) })
      await turn()
    }
  }
  await publishTo('big', () => hub.stats().bufferedBytes > MEBIBYTE)
  const second = await openUnread(url, 'ben')
  let most = 0
  await publishTo('news', () => {
    most = Math.max(most, hub.stats().bufferedBytes)
    return closed.length > 0
  })
  await tells('close slow')
  t.deepEqual(closed, ['ann'], 'For whom something has been waiting longest')
  t.true(most <= 4 * MEBIBYTE)
  t.true(hub.stats().bufferedBytes <= 3 * MEBIBYTE, 'What was kept for it is free')
  first.close()
  second.close()
  await isEmpty()
  t.deepEqual(story.slice(0, 3), ['open', 'open', 'close slow'])
})
