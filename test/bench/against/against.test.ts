import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { ROOT } from '../../support/root.ts'
import { build } from '../build.ts'
import { built } from '../contenders/built.ts'
import { run } from '../run.ts'
import { temporaryFolder } from '../temporary.ts'
import { steady } from '../workloads/steady.ts'
import { comparison } from './comparison.ts'
import { lineUp } from './line-up.ts'
import { buildRevision } from './revision.ts'

// Whether each runs the library that it is to run, never how fast. The present library is committed to a repository of
// its own, and before it one that nobody can take for it.
const OTHER = `
  export const createHub = () => ({})
  export const eventStream = () => (ctx: { body: unknown }) => { ctx.body = 'the other library' }
`

let compiled: string
let repository: string

test.before(async () => {
  // A Git hook that runs the tests would have them commit to its own repository.
  for (const name of Object.keys(process.env)) if (name.startsWith('GIT_')) Reflect.deleteProperty(process.env, name)
  compiled = await build()
  repository = await temporaryFolder()
  await git('init', '--quiet')
  for (const name of ['package.json', 'tsconfig.json', 'lib/tsconfig.json']) await take(name)
  await writeFile(join(repository, 'lib/index.ts'), OTHER)
  await commit()
  await rm(join(repository, 'lib'), { recursive: true })
  await take('lib')
  await commit()
})

test('a process of an earlier revision loads the library of that revision', async t => {
  const { folder } = await buildRevision('HEAD~1', compiled, repository)
  const server = await built('before', folder).start(compiled, {})
  const response = await fetch(`http://127.0.0.1:${server.port}/events/news`)
  t.is(await response.text(), 'the other library')
  await server.stop()
})

test('the present library and an earlier one are compiled alike', async t => {
  const { folder } = await buildRevision('HEAD', compiled, repository)
  for (const file of ['lib/index.js', 'lib/hub/hub.js', 'lib/koa/middleware.js']) {
    t.is(await readFile(join(folder, file), 'utf8'), await readFile(join(compiled, file), 'utf8'))
  }
})

test('an earlier revision is measured beside the present library and its repetition', async t => {
  const ours = await lineUp('HEAD', compiled, repository)
  t.regex(ours.before.name, /^before \([0-9a-f]{7,}\)$/)
  const results = await run(steady, Object.values(ours), { build: compiled, rounds: 1, size: 'smoke' })
  t.deepEqual([...results.keys()], [ours.before.name, 'library', 'library (again)'])
  for (const measures of results.values()) t.true(Object.values(measures).every(Number.isFinite))
  t.is(comparison([steady], new Map([['steady', results]]), ours).split('\n').length, 2 + steady.metrics.length)
})

test('a revision that is not there is named', async t => {
  await t.throwsAsync(buildRevision('nowhere', compiled, repository), {
    instanceOf: TypeError,
    message: 'Git knows no revision nowhere',
  })
})

async function take(name: string): Promise<void> {
  await mkdir(join(repository, 'lib'), { recursive: true })
  await cp(join(ROOT, name), join(repository, name), { recursive: true })
}

async function commit(): Promise<void> {
  const settings = ['user.name=bench', 'user.email=bench@localhost', 'commit.gpgSign=false']
  await git('add', '--all')
  await git(...settings.flatMap(setting => ['-c', setting]), 'commit', '--quiet', '--no-verify', '--message', 'lib')
}

async function git(...args: string[]): Promise<void> {
  await promisify(execFile)('git', args, { cwd: repository })
}
