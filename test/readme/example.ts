import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { ROOT } from '../support/root.ts'

const DOCS = join(ROOT, 'docs')
const ANNOUNCER = new URL('announce-port.js', import.meta.url).href
/** Has the paths of the project in it, since what the examples import is compiled with them. */
const OUT = 'compiled'
const BLOCK = /^```tsx?\n\/\/ (\S+\.tsx?)\n([\s\S]*?)^```$/gm

/** An example, running. */
export interface Example {
  readonly url: string
  readonly process: ChildProcess
}

/** The TypeScript examples of the README and of the pages in `docs`, by the file that each names itself. */
export async function readExamples(): Promise<Record<string, string>> {
  const docs = (await readdir(DOCS)).filter(name => name.endsWith('.md')).map(name => join(DOCS, name))
  const pages = await Promise.all([join(ROOT, 'README.md'), ...docs].map(page => readFile(page, 'utf8')))
  const blocks = pages.flatMap(page => [...page.matchAll(BLOCK)])
  const names = blocks.map(([, name]) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`two examples are called ${twice}`)
  return Object.fromEntries(blocks.map(([, name = '', code = '']) => [name, code]))
}

/** Writes the examples to a folder of the project, beside what they import from the reader. */
export async function writeExamples(companions: Record<string, string>): Promise<string> {
  // Where the tests are compiled to, packages and the library itself are found as a reader's own.
  const folder = await mkdtemp(join(ROOT, 'test/compiled/examples-'))
  const files = { ...(await readExamples()), ...companions }
  for (const [name, code] of Object.entries(files)) await writeFile(join(folder, name), code)
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../../tsconfig.json',
      compilerOptions: { outDir: OUT, jsx: 'react-jsx' },
      include: ['.'],
    }),
  )
  return folder
}

/** Compiles the examples; answers what the compiler complains of. */
export async function compileExamples(folder: string): Promise<string> {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { stdout } = await promisify(execFile)(process.execPath, [compiler, '-p', folder]).catch(
    (error: unknown) => error as { stdout: string },
  )
  return stdout
}

/** Runs an example that has been compiled, on a port that the system chooses, until the test ends. */
export function runExample(
  t: ExecutionContext,
  folder: string,
  name: string,
  env: Record<string, string> = {},
): Promise<Example> {
  return runScript(t, compiled(folder, name), env)
}

/** Answers what an example that has been compiled exports. */
export function importExample(folder: string, name: string): Promise<unknown> {
  return import(compiled(folder, name))
}

/** Runs examples that are tests, by node:test. */
export async function runSpecs(
  folder: string,
  names: readonly string[],
): Promise<{ passed: number; failed: number; output: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const files = names.map(name => compiled(folder, name))
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', ...files], {
    env,
    maxBuffer: 16_777_216,
  }).catch((error: unknown) => error as { stdout: string })
  const count = (what: string) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(stdout)?.[1])
  return { passed: count('pass'), failed: count('fail'), output: stdout }
}

/** Starts an example that has been compiled, which is killed when the test ends. */
export function startExample(
  t: ExecutionContext,
  folder: string,
  name: string,
  env: Record<string, string>,
): ChildProcess {
  return startScript(t, compiled(folder, name), env)
}

/** Runs an example from a file of JavaScript, on a port that the system chooses, until the test ends. */
export async function runScript(
  t: ExecutionContext,
  script: string,
  env: Record<string, string> = {},
): Promise<Example> {
  const child = startScript(t, script, { ...env, PORT: '0' })
  const port = await portOf(child)
  return { url: `http://127.0.0.1:${port}`, process: child }
}

function startScript(t: ExecutionContext, script: string, env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [`--import=${ANNOUNCER}`, script], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

function compiled(folder: string, name: string): string {
  return join(folder, OUT, relative(ROOT, folder), name.replace(/ts$/, 'js'))
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
