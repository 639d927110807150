import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'ava'
import { readCommandLine, UsageError } from '../../lib/cli/command-line.ts'
import { serve } from '../support/http.ts'
import { runCli, startCli } from './run-cli.ts'

const URL_ = 'https://app.example.com/events'

test('what is given is read, headers and cookies from files, too', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'cli-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'headers'), 'Authorization: Bearer x\n\nX-Trace:  7\n')
  const command = readCommandLine([
    ...['tail', URL_, '--header', `@${folder}/headers`, '--cookie', 'a=1', '--cookie', 'b=2', '--since', 'e-7'],
  ])
  t.like(command, {
    name: 'tail',
    since: 'e-7',
    count: Infinity,
    headers: [
      ['authorization', 'Bearer x'],
      ['x-trace', '7'],
      ['cookie', 'a=1; b=2'],
    ],
  })
  t.like(readCommandLine(['tail', URL_, '--since', 'é 7', '--count', '1e3', '--header', 'X-Name:\té']), {
    since: 'é 7',
    count: 1_000,
    headers: [['x-name', 'é']],
  })
  t.like(readCommandLine(['doctor', URL_, '--wait', '0.5', '--origin', 'https://a.example/page']), {
    wait: 500,
    patience: 5_000,
    origin: 'https://a.example',
  })
  // A timer that is told to count further ends at once.
  t.like(readCommandLine(['doctor', URL_, '--wait', '1e10', '--timeout', 'Infinity']), {
    wait: 2 ** 31 - 1,
    patience: 2 ** 31 - 1,
  })
})

test('a header that is repeated is sent with each of its values, to the stream and for a ticket', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'cli-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'cookies'), 'c=3\nd=4\n')
  const sent: unknown[] = []
  const { url } = await serve(({ method, headers: { cookie, 'x-role': role } }, response) => {
    sent.push({ method, cookie, role })
    if (method === 'POST') return response.end('{"ticket":"t"}')
    // It ends the stream for good.
    return response.writeHead(403).end()
  }, t)
  const twice = ['--header', 'Cookie: a=1', '--header', 'X-Role: reader', '--header', 'cookie: b=2']
  const login = [...twice, '--header', 'x-role: writer', '--cookie', `@${folder}/cookies`]
  const both = { cookie: 'a=1; b=2; c=3; d=4', role: 'reader, writer' }
  await runCli(['tail', url, ...login])
  t.deepEqual(sent, [{ method: 'GET', ...both }])
  await runCli(['tail', url, '--ticket-url', url, ...login])
  t.deepEqual(sent[1], { method: 'POST', ...both })
  await runCli(['doctor', url, ...login])
  t.deepEqual(sent.at(-1), { method: 'GET', ...both })
})

for (const [args, message] of [
  [['watch', URL_], 'The command must be doctor or tail.'],
  [['doctor'], 'doctor takes one URL.'],
  [['doctor', URL_, URL_], 'doctor takes one URL.'],
  [['doctor', 'events'], 'the URL must begin with http:// or https://.'],
  [['doctor', 'file:///s3cret'], 'the URL must begin with http:// or https://.'],
  ...['doctor', 'tail'].map(
    name =>
      [
        [name, 'https://ada:s3cret@app.example.com/events'],
        "the URL must have no user and no password in it: pass 'Authorization: Basic …' by --header @file.",
      ] as const,
  ),
  [
    ['tail', URL_, '--ticket-url', 'https://ada@app.example.com/ticket'],
    "--ticket-url must have no user and no password in it: pass 'Authorization: Basic …' by --header @file.",
  ],
  [['doctor', URL_, '--count', '1'], 'doctor has no --count.'],
  [['tail', URL_, '--wait', '1'], 'tail has no --wait.'],
  ...['0', '1.5', 'Infinity', ''].map(
    count => [['tail', URL_, '--count', count], '--count takes a whole number of at least 1.'] as const,
  ),
  ...['漢', 'a\nb', 'a\u0000'].map(
    since => [['tail', URL_, '--since', since], '--since contains a character that cannot be sent.'] as const,
  ),
  [['doctor', URL_, '--wait', ''], '--wait takes a number of at least 0.'],
  [['doctor', URL_, '--header', 's3cret'], "--header takes 'Name: value'."],
  ...['A: s3cret\u0100', 'A: s3cret\u0001', 'A: s3cret\u007f', 'A: s3cret\r\nB: c', 'A"s3cret: b'].flatMap(header =>
    ['doctor', 'tail'].map(
      name => [[name, URL_, '--header', header], '--header contains a character that cannot be sent.'] as const,
    ),
  ),
  [['tail', URL_, '--cookie', 's3cret=\u0001'], '--cookie contains a character that cannot be sent.'],
  ...['Connection', 'Content-Length', 'Expect', 'Host', 'Keep-Alive', 'Transfer-Encoding', 'TE', 'Upgrade'].flatMap(
    header =>
      ['doctor', 'tail'].map(
        name =>
          [
            [name, URL_, '--header', `${header}: s3cret`],
            `--header cannot set ${header.toLowerCase()}: it belongs to the connection.`,
          ] as const,
      ),
  ),
  [['doctor', URL_, '--cookie', '@/s3cret'], 'the file of --cookie cannot be read.'],
] as const) {
  test(`${JSON.stringify(args.join(' '))}: ${message}`, t => {
    t.throws(() => readCommandLine(args), { instanceOf: UsageError, message })
  })
}

test('tail does not begin what can never be sent: it ends with 2, and no value is shown', async t => {
  for (const [wrong, message] of [
    [['--since', 's3cret漢'], '--since contains a character that cannot be sent.'],
    [['--header', 'X-Key: s3cret\u0001'], '--header contains a character that cannot be sent.'],
    [['--header', 'Upgrade: s3cret'], '--header cannot set upgrade: it belongs to the connection.'],
  ] as const) {
    const child = startCli(['tail', 'http://127.0.0.1/', ...wrong])
    t.teardown(() => child.kill())
    const exited = once(child, 'exit')
    t.deepEqual(await once(createInterface(child.stderr), 'line'), [message])
    t.deepEqual(await exited, [2, null])
  }
})

test('a wrong command line ends with 2 and says how it is used; a question for help with 0', async t => {
  const wrong = await runCli(['doctor', URL_, '--colour'])
  t.is(wrong.code, 2)
  t.regex(wrong.err, /--colour[\s\S]*Usage: koa-event-stream/)
  const help = await runCli(['--help'])
  t.is(help.code, 0)
  t.regex(help.out, /^Usage: koa-event-stream/)
})
