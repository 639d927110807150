import type { ServerResponse } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { Middleware } from 'koa'
import type { EventInput, EventStream } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { onEveryTransport } from './every-transport.ts'

/** A source that always has its next event at hand. */
function atHand(bytes: number) {
  const counts = { asked: 0, returned: 0 }
  const next = { done: false as const, value: { data: 'x'.repeat(bytes) } }
  const source: AsyncIterableIterator<EventInput> = {
    next: async () => {
      counts.asked += 1
      return next
    },
    return: async () => {
      counts.returned += 1
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => source,
  }
  return { source, counts }
}

for (const bytes of [1, 10_000]) {
  onEveryTransport(
    `a client leaves while a source has its next event of ${String(bytes)} bytes at hand: it is returned from, once`,
    async (t, start) => {
      const { source, counts } = atHand(bytes)
      let held: EventStream | undefined
      const { ask, tells, story, isEmpty } = await start({
        subscribe: stream => {
          held = stream
          return source
        },
      })
      const client = await ask()
      const stream = client.read()
      await stream.next()
      stream.close()
      await tells('close client')
      await eventually(
        () => counts.returned > 0,
        () => 'The source is not returned from',
      )
      const { asked } = counts
      for (let n = 0; n < 10; n += 1) await turn()
      t.true(counts.asked <= asked + 1, 'The source is asked on and on')
      t.is(counts.returned, 1)
      t.false(await held?.send({ data: 'late' }))
      await isEmpty()
      t.deepEqual(story, ['open', 'close client'])
    },
  )
}

onEveryTransport(
  'a client that does not read leaves: the source that waits for it is returned from',
  async (t, start) => {
    const { source, counts } = atHand(10_000)
    const { ask, hub, tells, story } = await start({ subscribe: () => source })
    const client = await ask()
    let before = -1
    await eventually(
      () => {
        const same = counts.asked === before && counts.asked > 0
        before = counts.asked
        return same
      },
      () => 'The source is asked on and on',
    )
    t.true(hub.stats().bufferedBytes <= 100_000, String(hub.stats().bufferedBytes))
    client.leave()
    await tells('close client')
    await eventually(
      () => counts.returned > 0,
      () => 'The source is not returned from',
    )
    t.is(counts.returned, 1)
    t.deepEqual(story, ['open', 'close client'])
  },
)

for (const bytes of [1, 10_000]) {
  onEveryTransport(
    `others end the response while a source has events of ${String(bytes)} bytes at hand: it is not taken for done`,
    async (t, start) => {
      const { source, counts } = atHand(bytes)
      let response: ServerResponse | undefined
      const { ask, tells, story } = await start({
        subscribe: (_, { res }) => {
          response = res
          return source
        },
      })
      const stream = (await ask()).read()
      await stream.next()
      response?.end()
      await tells('close replaced')
      await eventually(
        () => counts.returned > 0,
        () => 'The source is not returned from',
      )
      await stream.closed
      t.deepEqual(story, ['open', 'close replaced'])
    },
  )
}

/** Puts a stream of bytes between the event stream and the response, as a compressor does. */
const pipedThrough: Middleware = async (ctx, next) => {
  await next()
  ctx.body = (ctx.body as Readable).pipe(new PassThrough())
}

for (const [how, outer] of [
  ['', []],
  [', behind something else too', [pipedThrough]],
] as const) {
  onEveryTransport(`a source that throws cuts the body short, and one that ends does not${how}`, async (t, start) => {
    const { ask, story, causes } = await start(
      {
        subscribe: async function* (stream) {
          yield { data: 'before' }
          await turn()
          if (stream.identity.id === 'ann') throw new Error('a secret')
        },
      },
      { outer },
    )
    const failed = (await ask()).read()
    t.is(await failed.closed, 'cut')
    if (outer.length === 0) t.regex(await failed.text(), /^retry: \d+\ndata: before\n\n$/)
    const ended = (await ask({ headers: { 'x-user': 'ben' } })).read()
    t.is(await ended.closed, 'end')
    t.regex(await ended.text(), /^retry: \d+\ndata: before\n\nid: ~done\nevent: goaway\ndata: {"reason":"done"}\n\n$/)
    t.deepEqual(story, ['open', 'fault source', 'close error', 'open', 'close done'])
    t.deepEqual(causes.map(String), ['Error: a secret'])
  })
}
