import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { ROOT } from '../support/root.ts'

const DOCS = join(ROOT, 'docs')
const ANNOUNCER = new URL('announce-port.js', import.meta.url).href
/** Has the paths of the project in it, since what the examples import is compiled with them. */
const OUT = 'compiled'
const BLOCK = /^```(?:tsx?|js)\n\/\/ (\S+\.(?:tsx?|[cm]?js))\n([\s\S]*?)^```$/gm

/** How many programs start at once. */
const STARTS = 3

/** An example, running. */
export interface Example {
  readonly url: string
  readonly process: ChildProcess
}

/** The README and the pages in `docs`, by their paths. */
export async function readPages(): Promise<Record<string, string>> {
  const docs = (await readdir(DOCS)).filter(name => name.endsWith('.md')).map(name => join(DOCS, name))
  const paths = [join(ROOT, 'README.md'), ...docs]
  return Object.fromEntries(
    await Promise.all(paths.map(async path => [relative(ROOT, path), await readFile(path, 'utf8')])),
  )
}

/** The examples of all pages by the file that each names itself. One may be on two pages, word for word. */
export async function readExamples(): Promise<Record<string, string>> {
  const examples: Record<string, string> = {}
  for (const page of Object.values(await readPages())) {
    for (const [, name = '', code = ''] of page.matchAll(BLOCK)) {
      if ((examples[name] ??= code) !== code) throw new Error(`two examples are called ${name}, and differ`)
    }
  }
  return examples
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

/** Runs an example of plain JavaScript, which is not compiled. */
export function runPlain(
  t: ExecutionContext,
  folder: string,
  name: string,
  env: Record<string, string> = {},
): Promise<Example> {
  return runScript(t, join(folder, name), env)
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
  return inTurn(async () => {
    const child = startScript(t, script, { ...env, PORT: '0' })
    const port = await portOf(child)
    return { url: `http://127.0.0.1:${port}`, process: child }
  })
}

/** Runs a script of a project's package.json that serves, on a port that the system chooses, until the test ends. */
export async function runNpmScript(t: ExecutionContext, project: string, name: string): Promise<string> {
  return inTurn(async () => {
    // A group of its own, since npm, a shell and a loader are before the program.
    const child = spawn('npm', ['run', '--silent', name], {
      cwd: project,
      env: { ...process.env, PORT: '0', ANNOUNCE: 'stdout', NODE_OPTIONS: `--import=${ANNOUNCER}` },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    const exited = once(child, 'exit')
    t.teardown(async () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
      await exited
    })
    for await (const line of createInterface(child.stdout)) {
      const port = /^announced port (\d+)$/.exec(line)?.[1]
      if (port !== undefined) return `http://127.0.0.1:${port}`
    }
    throw new Error(`\`npm run ${name}\` has ended before it listened`)
  })
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

let starting = 0
const waiting: (() => void)[] = []

/** Tests of a file begin all at once: programs that did so, too, would keep each other from starting within any time. */
async function inTurn<T>(start: () => Promise<T>): Promise<T> {
  if (starting === STARTS) await new Promise<void>(resolve => waiting.push(resolve))
  else starting += 1
  try {
    return await start()
  } finally {
    const next = waiting.shift()
    if (next === undefined) starting -= 1
    else next()
  }
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
