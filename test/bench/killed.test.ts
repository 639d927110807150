import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'ava'
import { eventually } from '../support/eventually.ts'
import { build } from './build.ts'
import { contenders } from './contenders/index.ts'

// One of each kind of program: Node's processes, nginx, nginx in front of Node, Go.
const KINDS = ['memory', 'nchan', 'nginx-gzip', 'gin']

/** A benchmark that has got as far as having a server. */
const BENCHMARK = `
  const [index, folder, name] = process.argv.slice(1)
  const { contenders } = await import(index)
  const { pids } = await contenders.find(one => one.name === name).start(folder, {})
  console.log(JSON.stringify(pids))
`

let compiled: string

test.before(async () => {
  compiled = await build()
})

for (const name of KINDS) {
  test(`a benchmark that is killed leaves nothing running of ${name}`, async t => {
    const missing = contenders.find(contender => contender.name === name)?.missing()
    if (missing !== undefined) {
      t.pass(`not installed: ${missing}`)
      return
    }
    const index = new URL('contenders/index.js', import.meta.url).href
    const script = ['--input-type=module', '--eval', BENCHMARK]
    const benchmark = spawn(process.execPath, [...script, index, compiled, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => benchmark.kill('SIGKILL'))
    const { value } = await createInterface(benchmark.stdout)[Symbol.asyncIterator]().next()
    const pids = JSON.parse(String(value)) as number[]
    t.true(pids.length > 0 && pids.every(isRunning))
    benchmark.kill('SIGKILL')
    await eventually(
      () => !pids.some(isRunning),
      () => `of ${pids.join(', ')} there are still ${pids.filter(isRunning).join(', ')}`,
    )
  })
}

function isRunning(pid: number): boolean {
  return existsSync(join('/proc', String(pid)))
}
