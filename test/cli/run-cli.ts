import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

export interface Finding {
  readonly check: string
  readonly level: string
  readonly seen: string
  readonly cure?: string
}

/** What the command line said, and its exit code. */
export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Starts our command line in a process of its own. */
export function startCli(args: readonly string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** The same, until its end. */
export async function runCli(args: readonly string[], env?: Record<string, string>): Promise<Outcome> {
  return outcomeOf(startCli(args, env))
}

/** The same with a redirection of the shell: `> /dev/full`. */
export async function runRedirected(redirection: string, args: readonly string[]): Promise<Outcome> {
  const shell = ['-c', `exec "$0" "$@" ${redirection}`, process.execPath, MAIN, ...args]
  return outcomeOf(spawn('sh', shell, { stdio: ['ignore', 'pipe', 'pipe'] }))
}

async function outcomeOf(child: ReturnType<typeof startCli>): Promise<Outcome> {
  const [[code], out, err] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  return { code: code as number, out, err }
}

/** Examines a stream; what has to come in time has time enough on a machine that is busy. */
export async function examine(
  url: string,
  args: readonly string[] = [],
  env?: Record<string, string>,
): Promise<{ code: number; findings: Finding[]; said: string }> {
  const { code, out, err } = await runCli(['doctor', url, '--json', '--timeout', '60', '--wait', '1', ...args], env)
  if (out === '') throw new Error(`doctor said nothing but ${err}`)
  const { findings } = JSON.parse(out) as { findings: Finding[] }
  return { code, findings, said: out + err }
}

/** The findings of a kind, as check and what was seen. */
export function of(level: string, findings: readonly Finding[]): string[] {
  return findings.filter(finding => finding.level === level).map(({ check }) => check)
}
