import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { ROOT } from '../support/root.ts'

const ANNOUNCER = new URL('announce-port.js', import.meta.url).href
const BLOCK = /^```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)^```$/gm

/** An example of the README, running. */
export interface Example {
  readonly url: string
  readonly process: ChildProcess
}

/** Writes the README's TypeScript examples, each to the file it names itself, beside what they import from the reader. */
export async function writeExamples(companions: Record<string, string>): Promise<string> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  // In the project, so that packages and the library itself are found as a reader's own.
  const folder = await mkdtemp(join(ROOT, 'test/readme/examples-'))
  const examples = [...readme.matchAll(BLOCK)].map(([, name = '', code = '']) => [name, code] as const)
  for (const [name, code] of [...examples, ...Object.entries(companions)]) await writeFile(join(folder, name), code)
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../tsconfig.json', compilerOptions: { noEmit: true }, include: ['.'] }),
  )
  return folder
}

/** Compiles the examples; rejects with what the compiler says. */
export async function compileExamples(folder: string): Promise<void> {
  await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder]).catch(
    (error: unknown) => {
      throw new Error((error as { stdout: string }).stdout, { cause: error })
    },
  )
}

/** Runs an example on a port that the system chooses, until the test ends. */
export async function runExample(
  t: ExecutionContext,
  folder: string,
  name: string,
  env: Record<string, string> = {},
): Promise<Example> {
  const child = startExample(t, folder, name, { ...env, PORT: '0' })
  const port = await portOf(child)
  return { url: `http://127.0.0.1:${port}`, process: child }
}

/** Starts an example, which is killed when the test ends. */
export function startExample(
  t: ExecutionContext,
  folder: string,
  name: string,
  env: Record<string, string>,
): ChildProcess {
  const child = spawn(process.execPath, ['--import=tsx', `--import=${ANNOUNCER}`, join(folder, name)], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

export async function removeExamples(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

async function portOf(child: ChildProcess): Promise<number> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the example ended with ${String(code)} before it listened`)
  })
  const [port] = (await Promise.race([once(child, 'message'), ended])) as [number]
  return port
}
