import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { ModuleKind, ScriptTarget, transpile } from 'typescript'
import { openStream } from '../support/http.ts'
import { startRedis } from '../support/redis-server.ts'
import { ROOT } from '../support/root.ts'
import { readExamples, runNpmScript, runScript } from './example.ts'

const TEMPLATE = join(ROOT, 'demo/template')
const COMMAND = /npm install (?:--save-dev )?((?:[@\w][\w/@.-]*[ ]?)+)/g
const PAGES = ['README.md', 'docs/install.md']

interface Manifest {
  readonly version: string
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
}

// A copy of the template, for which a reader installs what the README and docs/install.md say, as the registry has it today.
let project: string
test.before(async () => {
  project = await mkdtemp(join(tmpdir(), 'koa-event-stream-install-'))
  await cp(TEMPLATE, project, { recursive: true })
  // Imports nothing else than what the pages say to install.
  const { 'instance.ts': instance = '' } = await readExamples()
  const options = { module: ModuleKind.ESNext, target: ScriptTarget.ES2023 }
  await writeFile(join(project, 'instance.js'), transpile(instance, options))
  const { dependencies, devDependencies } = await manifestIn(TEMPLATE)
  const own = Object.keys({ ...dependencies, ...devDependencies })
  await install([...new Set([...own, ...(await namesToInstall(PAGES))])])
})

test.after.always(() => rm(project, { recursive: true, force: true }))

test('the template is what the pages show, and has what they say to install', async t => {
  const examples = await readExamples()
  for (const name of ['app.ts', 'server.ts', 'app.test.ts']) {
    t.is(examples[name], await readFile(join(TEMPLATE, name), 'utf8'), name)
  }
  const { 1: options = '' } =
    /^```json\n([\s\S]*?)^```$/m.exec(await readFile(join(ROOT, 'docs/install.md'), 'utf8')) ?? []
  t.deepEqual(JSON.parse(options), JSON.parse(await readFile(join(TEMPLATE, 'tsconfig.json'), 'utf8')))
  const { dependencies, devDependencies } = await manifestIn(TEMPLATE)
  const shown = (await namesToInstall(PAGES)).filter(name => !OPTIONAL.has(name))
  // It runs on Node 20, too.
  t.deepEqual(Object.keys({ ...dependencies, ...devDependencies }).toSorted(), [...shown, 'tsx'].toSorted())
  t.is(dependencies['koa-event-stream'], `^${(await manifestIn(ROOT)).version}`)
})

test('what the pages say to install fits together in its newest versions, and the template starts and answers', async t => {
  const url = await runNpmScript(t, project, 'start')
  t.is((await openStream(`${url}/events`)).status, 401)
  const login = await fetch(`${url}/login`, { method: 'POST' })
  const cookie = login.headers.getSetCookie().map(value => value.split(';')[0])
  const stream = await openStream(`${url}/events`, { headers: { cookie: cookie.join('; ') } })
  t.is((await stream.next()).event, 'cursor')
  stream.close()
})

test('the tests of the template pass, and so does the compiler', async t => {
  const { stdout } = await run('npm', ['test'])
  t.regex(stdout, /pass 1\n/)
  await t.notThrowsAsync(run('npm', ['run', 'check']))
})

test('the example of many instances answers, too', async t => {
  const redis = await startRedis(t)
  const { url } = await runScript(t, join(project, 'instance.js'), { REDIS_URL: redis.url })
  // Until the instance has found its Redis, streams are sent away for a while.
  let first: string | undefined
  while (first !== 'cursor') {
    const stream = await openStream(url)
    first = (await stream.next()).event
    stream.close()
  }
  t.is(first, 'cursor')
})

/** What the pages say to install for something that the template does not have. */
const OPTIONAL: ReadonlySet<string> = new Set(['ioredis', 'koa-redis', 'prom-client'])

async function namesToInstall(paths: readonly string[]): Promise<string[]> {
  const pages = await Promise.all(paths.map(page => readFile(join(ROOT, page), 'utf8')))
  const names = [...pages.join('\n').matchAll(COMMAND)].flatMap(([, list = '']) => list.trim().split(' '))
  return [...new Set(names)]
}

async function manifestIn(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** Installs the project as npm would pack it, and the newest of the others. A conflict of peers is an error, as it is for anybody. */
async function install(names: readonly string[]): Promise<void> {
  const others = names.filter(name => name !== 'koa-event-stream').map(name => `${name}@latest`)
  const command = ['install', '--install-links', '--ignore-scripts', '--no-audit', '--no-fund', ROOT, ...others]
  const { stderr } = await run('npm', command).catch((error: unknown) => {
    const { stderr } = error as { stderr: string }
    const why = stderr.includes('ERESOLVE')
      ? 'the packages do not fit together'
      : 'this test needs the npm registry, which it asks for what is new'
    throw new Error(`npm install failed; ${why}:\n${stderr}`, { cause: error })
  })
  // Deeper down, npm overrides a conflict and only says so.
  if (stderr.includes('ERESOLVE')) throw new Error(`the packages do not fit together:\n${stderr}`)
}

function run(command: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(command, args, { cwd: project })
}
