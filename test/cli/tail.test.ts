import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import Koa from 'koa'
import { createHub, eventStream, memoryBroker } from 'koa-event-stream'
import { signedIn } from 'koa-event-stream/testing'
import { serve } from '../support/http.ts'
import { runCli } from './run-cli.ts'

test('events are printed as they come, over a reconnect, each once, until as many have come as were asked for', async t => {
  const hub = createHub({ broker: memoryBroker() })
  t.teardown(() => hub.close())
  const app = new Koa().use(eventStream({ hub, authenticate: false, retry: 500, subscribe: () => 'news' }))
  const { url, server } = await serve(app, t)
  const opened = once(hub, 'open')
  const outcome = runCli(['tail', url, '--json', '--count', '3'])
  await opened
  const first = await hub.publish('news', { event: 'tick', data: { n: 1 } })
  // Until it has come the cut would be the beginning.
  await once(hub, 'close', { signal: AbortSignal.timeout(1) }).catch(() => undefined)
  const reopened = once(hub, 'open')
  server.closeAllConnections()
  const second = await hub.publish('news', { event: 'tick', data: { n: 2 } })
  await reopened
  const third = await hub.publish('news', { data: 'plain\u001b[31m\ntext' })
  const { code, out } = await outcome
  t.deepEqual(
    out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as unknown),
    [
      { event: 'tick', id: first, data: '{"n":1}' },
      { event: 'tick', id: second, data: '{"n":2}' },
      { event: 'message', id: third, data: 'plain\u001b[31m\ntext' },
    ],
  )
  t.is(code, 0)
})

test('a line for a person is one line, and does nothing to the terminal', async t => {
  const hub = createHub()
  t.teardown(() => hub.close())
  const since = await hub.publish('news', { data: 'before' })
  const id = await hub.publish('news', { event: 'note', data: 'a\u001b[31m\nb' })
  const app = new Koa().use(eventStream({ hub, authenticate: false, subscribe: () => 'news' }))
  const { url } = await serve(app, t)
  const { out } = await runCli(['tail', url, '--since', since, '--count', '1'])
  t.is(out, `${id} note a\\u001b[31m\\u000ab\n`)
})

test('a stream that is refused ends it with 1, and Ctrl-C with 0', async t => {
  const hub = createHub()
  t.teardown(() => hub.close())
  const who = signedIn(ctx => (ctx.get('cookie') === 'a=1; b=2' ? { id: 'ada' } : undefined))
  const app = new Koa().use(eventStream({ hub, authenticate: who, subscribe: () => 'news' }))
  const { url } = await serve(app, t)
  const refused = await runCli(['tail', url])
  t.is(refused.code, 1)
  t.regex(refused.err, /^ended: unauthenticated$/m)

  const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
  const child = spawn(process.execPath, [main, 'tail', url, '--cookie', 'a=1', '--cookie', 'b=2'])
  const exited = once(child, 'exit')
  for await (const line of createInterface(child.stderr)) if (line === 'open: stream') break
  child.kill('SIGINT')
  t.deepEqual(await exited, [0, null])
})
