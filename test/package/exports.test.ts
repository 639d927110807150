import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { serve } from '../support/http.ts'
import { ROOT } from '../support/root.ts'

const run = promisify(execFile)

const EXPORTS = [
  'AuthenticationError',
  'EventStream',
  'EventStreamError',
  'bearerToken',
  'createHub',
  'createIdentity',
  'eventStream',
  'memoryBroker',
  'networkOf',
  'presenceOf',
  'publishRoute',
  'queryToken',
  'requireIdentity',
  'sessionCookie',
  'stateUser',
  'subscriptionRoute',
  'urlTicket',
  'watchSessions',
]

/** Packages that a subpath needs, and nothing else does. */
const OPTIONAL = ['prom-client', '@opentelemetry/api']

/** One of each kind of module. */
const CONSUMERS = ['esm.mts', 'commonjs.cts']

// What a page pays for the client, compressed.
const CLIENT_BYTES = 5_120

// A project beside nothing of ours: the packed package, and only what it says that it depends on.
let project: string
let installed: string

test.before(async () => {
  project = await mkdtemp(join(tmpdir(), 'koa-event-stream-'))
  installed = join(project, 'node_modules/koa-event-stream')
  await mkdir(installed, { recursive: true })
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], {
    cwd: ROOT,
  })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  await run('tar', ['-xzf', join(project, filename), '-C', installed, '--strip-components=1'])
  const { dependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  await mkdir(join(project, 'node_modules/@opentelemetry'))
  await mkdir(join(project, 'node_modules/@types'))
  await link([...Object.keys(dependencies), ...OPTIONAL, '@types/koa', '@types/node'])
  const consumer = join(ROOT, 'test/package/consumer.ts')
  await Promise.all(CONSUMERS.map(file => cp(consumer, join(project, file))))
})

test.after.always(() => rm(project, { recursive: true, force: true }))

test('import and require() load the same names', async t => {
  const imported = await node(['--input-type=module'], 'import * as it from "koa-event-stream"; tell(it)')
  const required = await node(['--input-type=commonjs'], 'tell(require("koa-event-stream"))')
  t.deepEqual(imported, EXPORTS)
  t.deepEqual(required, EXPORTS)
})

test('the page for operators has one name', async t => {
  const imported = await node(['--input-type=module'], 'import * as it from "koa-event-stream/ops"; tell(it)')
  t.deepEqual(imported, ['opsRoutes'])
})

test('the relay has one name', async t => {
  const imported = await node(['--input-type=module'], 'import * as it from "koa-event-stream/relay"; tell(it)')
  t.deepEqual(imported, ['relay'])
})

test('the test kit needs no test runner, and no other package', async t => {
  const imported = await node(['--input-type=module'], 'import * as it from "koa-event-stream/testing"; tell(it)')
  t.deepEqual(imported, [
    'StreamRefused',
    'authenticatorContract',
    'brokerContract',
    'manualClock',
    'recorder',
    'signedIn',
    'testStreams',
  ])
})

test('metrics and traces have one name each, and need one package', async t => {
  const tell = (path: string) =>
    node(['--input-type=module'], `import * as it from "koa-event-stream/${path}"; tell(it)`)
  t.deepEqual(await tell('prometheus'), ['metrics'])
  t.deepEqual(await tell('opentelemetry'), ['traces'])
})

test('the client is one file that a page can load as it is, and small; another one is for pages that share', async t => {
  const file = await readFile(join(installed, 'dist/client/index.js'))
  t.deepEqual(file.toString().match(/\b(import|require)\b.{0,13}/g), ['import("./share.js"'])
  t.notRegex(await readFile(join(installed, 'dist/client/share.js'), 'utf8'), /\bimport\b|\brequire\(/)
  t.notRegex(await readFile(join(installed, 'dist/client/subscriptions.js'), 'utf8'), /\bimport\b|\brequire\(/)
  t.true(gzipSync(file).length <= CLIENT_BYTES, `${gzipSync(file).length} bytes`)
  const imported = await node(['--input-type=module'], 'import * as it from "koa-event-stream/client"; tell(it)')
  t.deepEqual(imported, ['connect'])
})

test('the command line runs as npx runs it', async t => {
  const { bin } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as { bin: string }
  const main = join(installed, bin)
  t.regex(await readFile(main, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  const { stdout } = await run(process.execPath, [main, '--help'])
  t.regex(stdout, /^Usage: koa-event-stream <command> <url>/)
  // The client that it reads with is the packed one.
  const { url } = await serve((_request, response) => response.writeHead(401).end(), t)
  const refused = await t.throwsAsync(run(process.execPath, [main, 'tail', url]))
  t.like(refused, { code: 1, stderr: 'connecting: start\nconnecting: unauthenticated\nended: unauthenticated\n' })
})

// The declarations of all packages are checked as well: what passes so passes with `skipLibCheck`, too.
for (const [version, kinds, files] of [
  // It knows nothing of `require()` for ES modules yet, which came with 5.8.
  ['5.4', 'ES modules', CONSUMERS.slice(0, 1)],
  ['6', 'both kinds of modules', CONSUMERS],
  ['7', 'both kinds of modules', CONSUMERS],
] as const) {
  test(`the types hold in ${kinds}, with TypeScript ${version}`, async t => {
    const config = join(project, `typescript-${version}.json`)
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      module: 'nodenext',
      types: ['node'],
    }
    await writeFile(config, JSON.stringify({ compilerOptions, files }))
    const compiler = ['--yes', `--package=typescript@${version}`, 'tsc']
    await t.notThrowsAsync(run('npx', [...compiler, '-p', config], { cwd: project }))
  })
}

test('what the parts of the library say to each other shows in no editor', async t => {
  const types = await readFile(join(installed, 'dist/stream/event-stream.d.ts'), 'utf8')
  t.regex(types, /\bclose\(/)
  t.notRegex(types, /\b(finish|abandon|offer)\(/)
})

test('every source map leads to a source in the package', async t => {
  const files = await readdir(installed, { recursive: true })
  const maps = files.filter(file => file.endsWith('.map')).map(file => join(installed, file))
  t.true(maps.length > 0)
  for (const map of maps) {
    const { sources } = JSON.parse(await readFile(map, 'utf8')) as { sources: string[] }
    for (const source of sources) t.true(existsSync(join(dirname(map), source)), `${map}: ${source}`)
  }
})

test('the package holds its licence, its readme, what was built and the sources, and nothing else', async t => {
  const files = await readdir(installed)
  t.deepEqual(files.sort(), ['LICENSE', 'README.md', 'dist', 'lib', 'package.json'])
})

async function link(names: string[]): Promise<void> {
  for (const name of names) await symlink(join(ROOT, 'node_modules', name), join(project, 'node_modules', name))
}

async function node(args: string[], script: string): Promise<unknown> {
  const tell = 'function tell(it) { console.log(JSON.stringify(Object.keys(it).sort())) }'
  const { stdout } = await run(process.execPath, [...args, '-e', `${script}\n${tell}`], { cwd: project })
  return JSON.parse(stdout)
}
