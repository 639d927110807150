/**
 * Runs the client's tests on Bun and on Deno: `npm run test:runtimes -- [runtime…]`. Both come from the registry, by npx.
 * The server that some of the tests read from is then on that runtime, too.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { ROOT } from './root.ts'

const TESTS = join(ROOT, 'test/client')
// Beside the packages, which are not bundled.
const BUNDLES = join(ROOT, 'test/compiled/elsewhere')

const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  bun: ['bun@1', 'bun'],
  deno: ['deno@2', 'deno', 'run', '--allow-all', '--node-modules-dir=manual'],
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(RUNTIMES)
const files = (await readdir(TESTS)).filter(name => name.endsWith('.test.ts'))
await build({
  entryPoints: files.map(name => join(TESTS, name)),
  outdir: BUNDLES,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'es2023',
  packages: 'external',
  alias: { ava: join(ROOT, 'test/support/ava-elsewhere.ts') },
  logLevel: 'warning',
})
for (const runtime of wanted) {
  const [source = runtime, ...command] = RUNTIMES[runtime] ?? []
  for (const name of files) {
    console.log(`\n${runtime}: ${name}`)
    const child = spawn('npx', ['-y', '-p', source, ...command, join(BUNDLES, name.replace(/ts$/, 'mjs'))], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) process.exitCode = 1
  }
}
await rm(BUNDLES, { recursive: true })
