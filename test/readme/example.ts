import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { freePort } from '../support/free-port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const BLOCK = /^```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)^```$/gm

/** An example of the README, running. */
export interface Example {
  readonly url: string
  readonly process: ChildProcess
}

/** Writes the README's TypeScript examples, each to the file it names itself, beside what they import from the reader. */
export async function writeExamples(companions: Record<string, string>): Promise<string> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  // In the project, so that packages and the library itself are found as a reader's own.
  const folder = await mkdtemp(join(root, 'test/readme/examples-'))
  const examples = [...readme.matchAll(BLOCK)].map(([, name = '', code = '']) => [name, code] as const)
  for (const [name, code] of [...examples, ...Object.entries(companions)]) await writeFile(join(folder, name), code)
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.json', include: ['.'] }))
  return folder
}

/** Compiles the examples; rejects with what the compiler says. */
export async function compileExamples(folder: string): Promise<void> {
  await promisify(execFile)(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder]).catch(
    (error: unknown) => {
      throw new Error((error as { stdout: string }).stdout, { cause: error })
    },
  )
}

/** Runs an example on a port of its own, until the test ends. */
export async function runExample(
  t: ExecutionContext,
  folder: string,
  name: string,
  env: Record<string, string> = {},
): Promise<Example> {
  const port = await freePort()
  const child = startExample(t, folder, name, { ...env, PORT: String(port) })
  await listening(port, child)
  return { url: `http://127.0.0.1:${port}`, process: child }
}

/** Starts an example, which is killed when the test ends. */
export function startExample(
  t: ExecutionContext,
  folder: string,
  name: string,
  env: Record<string, string>,
): ChildProcess {
  const child = spawn(process.execPath, ['--import=tsx', join(folder, name)], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

export async function removeExamples(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

// An example says nothing when it is ready, so its port is asked until it answers.
async function listening(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const socket = connect(port, '127.0.0.1')
    const answered = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(
        () => false,
        () => false,
      ),
    ]).catch(() => false)
    socket.destroy()
    if (answered) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`the example ended with ${child.exitCode} before it listened`)
}
