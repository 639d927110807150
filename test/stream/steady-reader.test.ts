import { once } from 'node:events'
import test from 'ava'
import Koa from 'koa'
import { createHub, eventStream, type EventMap, type EventStream } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { raw, serve } from '../support/http.ts'

const EVENT = 100_000
/** More than the kernel keeps back until it takes more from the process. */
const TURN = 4_000_000
const WAITING = 5 * TURN

test('a client that reads a part of what waits is seen to read, though the rest still waits', async t => {
  const hub = createHub()
  t.teardown(() => hub.close())
  const opened: EventStream<EventMap, undefined>[] = []
  const app = new Koa()
  app.use(
    eventStream({
      hub,
      authenticate: false,
      buffer: { bytes: 64 << 20 },
      subscribe: stream => {
        opened.push(stream)
        return 'a'
      },
    }),
  )
  const { port } = await serve(app, t)
  const client = await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  t.teardown(() => client.close())
  await client.until('event: cursor')
  client.pause()
  const [stream] = opened
  if (stream === undefined) throw new Error('no stream was opened')
  while (stream.bufferedBytes < WAITING) {
    await hub.publish('a', { data: 'x'.repeat(EVENT) })
    await new Promise(setImmediate)
  }
  for (let turn = 0; turn < 4; turn += 1) {
    const before = stream.writer.progress
    for (let read = 0; read < TURN;) {
      client.resume()
      const [chunk] = (await once(client.socket, 'data')) as [Buffer]
      read += chunk.length
      client.pause()
    }
    await eventually(
      () => stream.writer.progress > before,
      () => `After turn ${turn} nothing seems to have been read`,
    )
    t.true(stream.bufferedBytes > 0)
  }
})
