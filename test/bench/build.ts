import { execFile } from 'node:child_process'
import { cp, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../support/root.ts'
import { temporaryFolder } from './temporary.ts'

// Here the library is what its package is to an application, whatever becomes of the working tree meanwhile.
const MANIFEST = {
  name: 'koa-event-stream',
  type: 'module',
  exports: { '.': './lib/index.js', './redis': './lib/broker/redis/index.js' },
}

/**
 * Copies the library, the contenders and the load generator, compiled, to a new folder, and answers its path. What a
 * loader of TypeScript adds to functions and memory would be measured otherwise.
 */
export async function build(): Promise<string> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'package.json'), JSON.stringify(MANIFEST))
  await linkDependencies(folder)
  for (const part of ['lib', 'test'])
    await cp(join(ROOT, 'test/compiled', part), join(folder, part), { recursive: true })
  return folder
}

/** Copies a build to a new folder, for another library to take the place of the one in `lib`. */
export async function copyBuild(build: string): Promise<string> {
  const folder = await temporaryFolder()
  await cp(build, folder, { recursive: true, verbatimSymlinks: true })
  return folder
}

/** Gives a folder the dependencies of this project. */
export async function linkDependencies(folder: string): Promise<void> {
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
}

/** Compiles a TypeScript project with the compiler of this one. */
export async function compile(project: string, to: string, ...options: readonly string[]): Promise<void> {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  await promisify(execFile)(process.execPath, [compiler, '-p', project, '--outDir', to, ...options])
}
