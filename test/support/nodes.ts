/**
 * Runs the tests of the library's heart and of its test kit on other versions of Node: `npm run test:nodes -- [version…]`,
 * all that are supported beside the first unless told otherwise. Each comes from the package `node` of the registry, by
 * npx. Linting, types and the build are the same on every Node; what browsers, Redis and the demo do is, too.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ROOT } from './root.ts'

const VERSIONS = ['22', '24', '26']
const AVA = join(ROOT, 'node_modules/.bin/ava')

const PARTS = ['wire', 'stream', 'compression', 'hub', 'koa', 'auth', 'broker', 'fuzz', 'testing', 'contract']
/** Of the kit and its contracts all but what they do with Redis: node:test, Vitest and Jest run there, too. */
const TESTS = [...PARTS.map(part => `test/${part}/**`), '!test/{testing,contract}/redis.test.ts']
/** Makes sure that the run is what it says. */
const WITNESS = 'test/support/nodes.test.ts'

/** How ava ends: `623 tests passed`, `1 uncaught exception`. */
const TOTAL = /^\s*(\d+ (?:tests?|known|unhandled|uncaught|previous) .*)$/
const RUNNING = /Node (v\S+)$/

interface Run {
  readonly wanted: string
  /** What the workers told of themselves. */
  readonly node: string | undefined
  readonly totals: readonly string[]
  readonly seconds: number
  readonly passed: boolean
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : VERSIONS
const runs: Run[] = []
// One after another: each takes all cores there are.
for (const version of wanted) runs.push(await run(version))
console.log('\nOn every Node:')
for (const { wanted, node, totals, seconds, passed } of runs) {
  const told = [node ?? `Node ${wanted} has run nothing`, ...totals, `${seconds.toFixed(0)} s`]
  console.log(`${passed ? '✔' : '✘'} ${told.join(', ')}`)
}
if (runs.some(({ passed }) => !passed)) process.exitCode = 1

async function run(wanted: string): Promise<Run> {
  console.log(`\nNode ${wanted}`)
  const start = performance.now()
  // npx puts that Node first on the PATH, and ava starts its workers with the Node that it runs on itself.
  const child = spawn('npx', ['-y', '-p', `node@${wanted}`, 'node', AVA, WITNESS, ...TESTS], {
    env: { ...process.env, WANTED_NODE: wanted },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let node: string | undefined
  const totals: string[] = []
  createInterface(child.stdout).on('line', line => {
    console.log(line)
    node ??= RUNNING.exec(line)?.[0]
    const total = TOTAL.exec(line)?.[1]
    if (total !== undefined) totals.push(total)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const seconds = (performance.now() - start) / 1_000
  return { wanted, node, totals, seconds, passed: code === 0 && node !== undefined }
}
