import { execFile } from 'node:child_process'
import { mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

// Here the library is what its package is to an application, whatever becomes of the working tree meanwhile.
const MANIFEST = {
  name: 'koa-event-stream',
  type: 'module',
  exports: { '.': './lib/index.js', './redis': './lib/broker/redis/index.js' },
}

/**
 * Compiles the library, the contenders and the load generator to a new folder, and answers its path. What a loader of
 * TypeScript adds to functions and memory would be measured otherwise.
 */
export async function build(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'koa-event-stream-bench-'))
  await writeFile(join(folder, 'package.json'), JSON.stringify(MANIFEST))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  await promisify(execFile)(process.execPath, [compiler, '-p', join(ROOT, 'test/bench'), '--outDir', folder])
  return folder
}
