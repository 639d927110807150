import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../../support/root.ts'
import { compile, copyBuild, linkDependencies } from '../build.ts'
import { temporaryFolder } from '../temporary.ts'

const run = promisify(execFile)

/** The library as a commit has it. */
export interface EarlierBuild {
  /** The short name of the commit. */
  readonly commit: string
  /** The folder with its library, and with the benchmark's own code as it is now. */
  readonly folder: string
}

// What compiling the library takes.
const SOURCES = ['lib', 'package.json', 'tsconfig.json']
// As the benchmark compiles the present library. It may not fit today's types of its dependencies.
const OPTIONS = ['--noCheck', '--declaration', 'false', '--declarationMap', 'false', '--sourceMap', 'true']

/**
 * Compiles the library of an earlier revision, and puts it in the place of the present one in a copy of a build.
 *
 * @param build the folder of what is compiled now
 * @param repository a folder in the Git repository that has the revision
 * @throws {TypeError} if there is no such revision
 */
export async function buildRevision(revision: string, build: string, repository = ROOT): Promise<EarlierBuild> {
  const commit = await commitOf(revision, repository)
  const sources = await checkOut(commit, repository)
  await linkDependencies(sources)
  const folder = await copyBuild(build)
  const library = join(folder, 'lib')
  await rm(library, { recursive: true })
  await compile(join(sources, 'lib'), library, ...OPTIONS)
  return { commit, folder }
}

async function commitOf(revision: string, repository: string): Promise<string> {
  try {
    const { stdout } = await run('git', ['rev-parse', '--short', '--verify', `${revision}^{commit}`], {
      cwd: repository,
    })
    return stdout.trim()
  } catch (cause) {
    throw new TypeError(`Git knows no revision ${revision}`, { cause })
  }
}

// A worktree would be known to the repository, which may be a clone that others work in.
async function checkOut(commit: string, repository: string): Promise<string> {
  const folder = await temporaryFolder()
  const [archive, sources] = [join(folder, 'sources.tar'), join(folder, 'sources')]
  await mkdir(sources)
  await run('git', ['archive', '--output', archive, commit, ...SOURCES], { cwd: repository })
  await run('tar', ['-xf', archive, '-C', sources])
  return sources
}
