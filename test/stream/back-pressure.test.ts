import type { Socket } from 'node:net'
import test from 'ava'
import Koa from 'koa'
import { createHub, eventStream, memoryBroker, type EventMap, type EventStream } from 'koa-event-stream'
import { eventually } from '../support/eventually.ts'
import { raw, serve } from '../support/http.ts'

test('history waits in the log, and not in the process, for a client that does not read', async t => {
  const hub = createHub({ broker: memoryBroker({ history: { bytes: 64 << 20 } }) })
  t.teardown(() => hub.close())
  const opened: { stream: EventStream<EventMap, undefined>; socket: Socket }[] = []
  const app = new Koa()
  app.use(
    eventStream({
      hub,
      authenticate: false,
      subscribe: (stream, ctx) => {
        opened.push({ stream, socket: ctx.req.socket })
        return 'a'
      },
    }),
  )
  const { port } = await serve(app, t)
  const start = await hub.publish('a', { data: 'start' })
  for (let n = 0; n < 250; n += 1) await hub.publish('a', { data: 'x'.repeat(64_000) })
  const client = await raw(port)
  client.pause().write(`GET /?lastEventId=${start} HTTP/1.1\r\nHost: x\r\n\r\n`)
  let most = 0
  let unchanged = 0
  let last = -1
  // Stuck is a stream from which nothing has left in many turns.
  await eventually(
    () => {
      const [first] = opened
      if (first === undefined) return false
      most = Math.max(most, first.stream.bufferedBytes)
      unchanged = first.socket.bytesWritten === last && first.socket.writableLength > 0 ? unchanged + 1 : 0
      last = first.socket.bytesWritten
      return unchanged > 20
    },
    () => `The client is not stuck, after ${last} bytes`,
  )
  t.true(most < 200_000, `${most} bytes in the process`)
  client.close()
})
