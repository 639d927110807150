import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'ava'
import Koa from 'koa'
import { createHub, eventStream } from 'koa-event-stream'
import { signedIn } from 'koa-event-stream/testing'
import { Deferred } from '../support/deferred.ts'
import { serve } from '../support/http.ts'
import { flood } from './flood.ts'
import { runCli, startCli } from './run-cli.ts'

/** Milliseconds after which a process that should have ended hangs. */
const HANG = 60_000

test('events are printed as they come, over a reconnect, each once, until as many have come as were asked for', async t => {
  const hub = createHub()
  t.teardown(() => hub.close())
  const app = new Koa().use(eventStream({ hub, authenticate: false, retry: 500, subscribe: () => 'news' }))
  const { url, server } = await serve(app, t)
  const opened = once(hub, 'open')
  const child = startCli(['tail', url, '--json', '--count', '3'])
  const exited = once(child, 'exit')
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await lines.next()).value as string) as unknown
  await opened
  const first = await hub.publish('news', { event: 'tick', data: { n: 1 } })
  t.deepEqual(await next(), { event: 'tick', id: first, data: '{"n":1}' })
  server.closeAllConnections()
  const missed = await hub.publish('news', { event: 'tick', data: { n: 2 } })
  t.deepEqual(await next(), { event: 'tick', id: missed, data: '{"n":2}' })
  const last = await hub.publish('news', { data: 'plain\u001b[31m\ntext' })
  t.deepEqual(await next(), { event: 'message', id: last, data: 'plain\u001b[31m\ntext' })
  t.deepEqual(await exited, [0, null])
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

  const child = startCli(['tail', url, '--cookie', 'a=1', '--cookie', 'b=2'])
  const exited = once(child, 'exit')
  for await (const line of createInterface(child.stderr)) if (line === 'open: stream') break
  child.kill('SIGINT')
  t.deepEqual(await exited, [0, null])
})

test('Ctrl-C ends it while a ticket is on its way', async t => {
  const asked = new Deferred<void>()
  const { url } = await serve(() => asked.resolve(), t)
  // Only the signal ends the request.
  const unbounded = 'data:text/javascript,AbortSignal.timeout=()=>new%20AbortController().signal'
  const child = startCli(['tail', url, '--ticket-url', url], { NODE_OPTIONS: `--import ${unbounded}` })
  t.teardown(() => child.kill('SIGKILL'))
  await asked.promise
  child.kill('SIGINT')
  t.deepEqual(await once(child, 'exit', { signal: AbortSignal.timeout(HANG) }), [0, null])
})

test('a signal ends it though nobody reads its output', async t => {
  const { url } = await serve((_, response) => {
    response.setHeader('content-type', 'text/event-stream')
    // More than a pipe has room for.
    return response.write(`data: ${'a'.repeat(8_000_000)}\n\n`)
  }, t)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const child = startCli(['tail', url])
    t.teardown(() => child.kill('SIGKILL'))
    await once(child.stdout, 'readable')
    child.kill(signal)
    t.deepEqual(await once(child, 'exit', { signal: AbortSignal.timeout(HANG) }), [0, null])
  }
})

test('a server that means harm gets no header elsewhere, and does nothing to the terminal', async t => {
  const elsewhere: string[] = []
  const other = await serve((request, response) => {
    elsewhere.push(request.url ?? '')
    response.end()
  }, t)
  const { url } = await serve((request, response) => {
    if (request.url?.startsWith('/events') !== true) return response.writeHead(307, { location: other.url }).end()
    response.setHeader('content-type', 'text/event-stream')
    return response.write('data: a\u009b31m\n\nevent: goaway\ndata: {"reason":"\\u001b[31m"}\n\n')
  }, t)
  const key = ['--header', 'X-Api-Key: s3cret']
  const json = await runCli(['tail', `${url}/events`, '--json', '--count', '1'])
  t.is(json.out, '{"event":"message","id":"","data":"a\\u009b31m"}\n')

  for (const [args, told] of [
    [['tail', `${url}/away`, ...key], 'waiting: status 307'],
    [
      ['tail', `${url}/events`, '--ticket-url', `${url}/away`, ...key],
      `no ticket: ${url}/away responds with status 307`,
    ],
    [['tail', `${url}/events`], 'waiting: \\u001b[31m'],
  ] as const) {
    const child = startCli(args)
    const exited = once(child, 'exit')
    const said: string[] = []
    for await (const line of createInterface(child.stderr)) if (said.push(line) >= 3 || line === told) break
    t.is(said.at(-1), told)
    child.kill('SIGINT')
    await exited
  }
  t.deepEqual(elsewhere, [])
})

for (const [what, piece] of [
  ['line', 'a'.repeat(1_048_576)],
  ['event', `data: ${'a'.repeat(100_000)}\r\n`],
] as const) {
  test(`an endless ${what} ends it with 1, and says so`, async t => {
    const { url } = await serve((_, response) => {
      response.setHeader('content-type', 'text/event-stream')
      response.write('data: first\r\n\r\ndata: ')
      flood(response, piece)
    }, t)
    const { code, out, err } = await runCli(['tail', url], { NODE_OPTIONS: '--max-old-space-size=512' })
    t.is(code, 1)
    t.is(out, ' message first\n')
    t.regex(err, /^an event has more than 64 MiB, and no more is read: .*$/m)
  })
}

test('more than the bound in all is no harm', async t => {
  const event = `data: ${'a'.repeat(1_048_000)}\r\n\r\n`
  const { url } = await serve((_, response) => {
    response.setHeader('content-type', 'text/event-stream')
    flood(response, event)
  }, t)
  const { code, out } = await runCli(['tail', url, '--count', '80'])
  t.is(code, 0)
  t.is(out.length, 80 * (1_048_000 + ' message \n'.length))
})
