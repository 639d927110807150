import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { PATIENCE } from '../support/progress.ts'
import { CASES } from './runners/cases.ts'

const run = promisify(execFile)
const { resolve } = createRequire(import.meta.url)
const FOLDER = fileURLToPath(new URL('runners', import.meta.url))
const JEST = { transform: {}, testEnvironment: 'node', testMatch: ['**/shop.jest.spec.js'] }

for (const [title, body] of Object.entries(CASES)) {
  test(`ava: ${title}`, async t => {
    await t.notThrowsAsync(body())
  })
}

test.serial('node:test runs tests of an application', async t => {
  const { stdout } = await start(['--test', '--test-reporter=tap', join(FOLDER, 'shop.node.spec.js')])
  t.regex(stdout, /^# pass 3$/m)
})

test.serial('Vitest runs tests of an application', async t => {
  const vitest = join(dirname(resolve('vitest/package.json')), 'vitest.mjs')
  const { stdout } = await start([vitest, 'run', '--root', FOLDER, 'shop.vitest'])
  t.regex(stdout, /Tests {2}3 passed/)
})

test.serial('Jest runs tests of an application, and says nothing of clients that have left', async t => {
  const jest = join(dirname(resolve('jest/package.json')), 'bin/jest.js')
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const { stdout, stderr } = await start([...flags, jest, '--rootDir', FOLDER, '--config', JSON.stringify(JEST)])
  t.regex(stderr, /Tests: +3 passed/)
  t.notRegex(stdout + stderr, /console\.error|ECONNRESET/)
})

/** Runs a runner, as a shell without colours does and outside of the test that runs it. */
function start(args: readonly string[]) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return run(process.execPath, args, { env: { ...env, NO_COLOR: '1', FORCE_COLOR: '0' }, timeout: PATIENCE })
}
