import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { ModuleKind, ScriptTarget, transpile } from 'typescript'
import { openStream } from '../support/http.ts'
import { startRedis } from '../support/redis-server.ts'
import { ROOT } from '../support/root.ts'
import { readExamples, runScript } from './example.ts'

const COMMAND = /npm install (?:--save-dev )?((?:[@\w][\w/@.-]*[ ]?)+)/g
// Those that import nothing else than what the pages say to install.
const EXAMPLES = ['app', 'server', 'app.test', 'instance']

// A project of a reader's, who does what the README and docs/install.md say, with what the registry has today.
let project: string
test.before(async () => {
  project = await mkdtemp(join(tmpdir(), 'koa-event-stream-install-'))
  const examples = await readExamples()
  for (const name of EXAMPLES) {
    const script = transpile(examples[`${name}.ts`] ?? '', {
      module: ModuleKind.ESNext,
      target: ScriptTarget.ES2023,
      rewriteRelativeImportExtensions: true,
    })
    await writeFile(join(project, `${name}.js`), script)
  }
  await install(await namesToInstall())
})

test.after.always(() => rm(project, { recursive: true, force: true }))

test('what the pages say to install fits together in its newest versions, and the first example answers', async t => {
  const { url } = await runScript(t, join(project, 'server.js'))
  t.is((await openStream(`${url}/events`)).status, 401)
  const login = await fetch(`${url}/login`, { method: 'POST' })
  const cookie = login.headers.getSetCookie().map(value => value.split(';')[0])
  const stream = await openStream(`${url}/events`, { headers: { cookie: cookie.join('; ') } })
  t.is((await stream.next()).event, 'cursor')
  stream.close()
})

test('the test of the first example passes', async t => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', 'app.test.js'], { cwd: project })
  t.regex(stdout, /pass 1\n/)
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

async function namesToInstall(): Promise<string[]> {
  const pages = await Promise.all(['README.md', 'docs/install.md'].map(page => readFile(join(ROOT, page), 'utf8')))
  const names = [...pages.join('\n').matchAll(COMMAND)].flatMap(([, list = '']) => list.trim().split(' '))
  return [...new Set(names)]
}

/** Installs the project as npm would pack it, and the newest of the others. A conflict of peers is an error, as it is for anybody. */
async function install(names: readonly string[]): Promise<void> {
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const others = names.filter(name => name !== 'koa-event-stream').map(name => `${name}@latest`)
  const command = ['install', '--install-links', '--ignore-scripts', '--no-audit', '--no-fund', ROOT, ...others]
  const { stderr } = await promisify(execFile)('npm', command, { cwd: project }).catch((error: unknown) => {
    const { stderr } = error as { stderr: string }
    const why = stderr.includes('ERESOLVE')
      ? 'the packages do not fit together'
      : 'this test needs the npm registry, which it asks for what is new'
    throw new Error(`npm install failed; ${why}:\n${stderr}`, { cause: error })
  })
  // Deeper down, npm overrides a conflict and only says so.
  if (stderr.includes('ERESOLVE')) throw new Error(`the packages do not fit together:\n${stderr}`)
}
