import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { Deferred } from '../support/deferred.ts'
import { serve } from '../support/http.ts'
import { runRedirected, startCli } from './run-cli.ts'

const FULL = '/dev/full'
const onFullDisk = existsSync(FULL) ? test : test.skip
const NO_SPACE = 'the output cannot be written: ENOSPC'

const refuse = (_: unknown, response: ServerResponse) => response.writeHead(403).end()

/** Answers with a stream, and begins it with these events. */
function begin(response: ServerResponse, ...events: readonly string[]): void {
  response.setHeader('content-type', 'text/event-stream')
  response.flushHeaders()
  for (const data of events) response.write(`data: ${data}\n\n`)
}

/** Takes one line and goes, as `| head -1` does. */
async function head(stream: Readable): Promise<unknown> {
  const [line] = await once(createInterface(stream), 'line')
  await leave(stream)
  return line
}

async function leave(stream: Readable): Promise<void> {
  const closed = once(stream, 'close')
  stream.destroy()
  await closed
}

onFullDisk('tail that cannot print its events ends with 1, and says why', async t => {
  const { url } = await serve((_, response) => begin(response, 'one', 'two', 'three'), t)
  for (const count of [[], ['--count', '1'], ['--count', '3']]) {
    const { code, err } = await runRedirected(`> ${FULL}`, ['tail', url, ...count])
    t.is(code, 1)
    t.is(err.trimEnd().split('\n').at(-1), NO_SPACE)
  }
})

onFullDisk('help and doctor that cannot print end with 2, which is no finding, and say why', async t => {
  const { url } = await serve(refuse, t)
  for (const args of [['--help'], ['doctor', url], ['doctor', url, '--json']]) {
    t.deepEqual(await runRedirected(`> ${FULL}`, args), { code: 2, out: '', err: `${NO_SPACE}\n` })
  }
})

onFullDisk('messages that cannot be written change nothing', async t => {
  const { url } = await serve((_, response) => begin(response, 'one', 'two', 'three'), t)
  const tail = await runRedirected(`2> ${FULL}`, ['tail', url, '--count', '3'])
  t.deepEqual(tail, { code: 0, out: ' message one\n message two\n message three\n', err: '' })
  t.deepEqual(await runRedirected(`2> ${FULL}`, ['tail']), { code: 2, out: '', err: '' })
  t.deepEqual(await runRedirected(`> ${FULL} 2> ${FULL}`, ['--help']), { code: 2, out: '', err: '' })
})

test('doctor whose reader goes ends at once with 2, and says nothing', async t => {
  const gone = new Deferred<void>()
  const { url } = await serve(async (request, response) => {
    await gone.promise
    refuse(request, response)
  }, t)
  const child = startCli(['doctor', url, '--timeout', '60'])
  t.teardown(() => child.kill())
  const [exited, said] = [once(child, 'exit'), text(child.stderr)]
  t.is(await head(child.stdout), `${url}/`)
  gone.resolve()
  t.deepEqual(await exited, [2, null])
  t.is(await said, '')
})

test('tail whose reader goes ends with 0 at the next event, and says nothing of it', async t => {
  const opened = new Deferred<ServerResponse>()
  const { url } = await serve((_, response) => {
    begin(response, 'one')
    opened.resolve(response)
  }, t)
  const child = startCli(['tail', url])
  t.teardown(() => child.kill())
  const [exited, said] = [once(child, 'exit'), text(child.stderr)]
  t.is(await head(child.stdout), ' message one')
  const response = await opened.promise
  response.write('data: two\n\n')
  t.deepEqual(await exited, [0, null])
  t.is(await said, 'connecting: start\nopen: stream\n')
})

test('tail goes on when nobody reads its messages', async t => {
  const asked = new Deferred<ServerResponse>()
  const { url } = await serve((_, response) => asked.resolve(response), t)
  const child = startCli(['tail', url, '--count', '1'])
  t.teardown(() => child.kill())
  const [exited, printed] = [once(child, 'exit'), text(child.stdout)]
  const response = await asked.promise
  await leave(child.stderr)
  begin(response, 'one')
  t.deepEqual(await exited, [0, null])
  t.is(await printed, ' message one\n')
})
