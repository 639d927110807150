import type { ServerResponse } from 'node:http'
import test from 'ava'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import koaPinoLogger from 'koa-pino-logger'
import { eventually } from '../support/eventually.ts'
import { openStream, serve } from '../support/http.ts'

test('a logger of requests has no line for a stream, and one for what was refused', async t => {
  const lines: string[] = []
  const app = new Koa()
  const isStream = (res: ServerResponse) => String(res.getHeader('content-type')).startsWith('text/event-stream')
  const customLogLevel = (_: unknown, res: ServerResponse) => (isStream(res) ? 'silent' : 'info')
  app.use(koaPinoLogger({ customLogLevel }, { write: line => void lines.push(line) }))
  const hub = createHub()
  hub.on('refuse', () => undefined)
  t.teardown(() => hub.close())
  app.use(eventStream({ hub, authenticate: false, subscribe: () => 'news' }))
  const { url } = await serve(app, t)
  const stream = await openStream(`${url}/stream`)
  await stream.next(({ event }) => event === 'cursor')
  stream.close()
  await eventually(
    () => hub.stats().closed.client === 1,
    () => 'the stream is still open',
  )
  await openStream(`${url}/refused`, { headers: { accept: 'text/html' } })
  await eventually(
    () => lines.length > 0,
    () => 'nothing was logged',
  )
  t.deepEqual(
    lines.map(line => (JSON.parse(line) as { req: { url: string } }).req.url),
    ['/refused'],
  )
})
