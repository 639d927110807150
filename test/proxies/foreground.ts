import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Progress } from '../support/progress.ts'
import type { Scope } from '../support/scope.ts'

/** A program that runs in the foreground until the scope ends. */
export interface Foreground {
  /** Resolves once the program has said so many lines that match. */
  said(line: RegExp, times?: number): Promise<void>
  signal(name: NodeJS.Signals): void
}

/** A folder for what a program writes, removed when the scope ends. */
export async function temporaryFolder(scope: Scope, name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `${name}-`))
  scope.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export function startInForeground(
  scope: Scope,
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Foreground {
  // A group of its own: what it has forked goes with it.
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} cannot be started`)
  const gone = once(child, 'exit')
  const kill = (name: NodeJS.Signals) => {
    try {
      process.kill(-pid, name)
    } catch {
      // Nobody is left.
    }
  }
  const killAll = () => kill('SIGKILL')
  process.once('exit', killAll)
  const lines: string[] = []
  const progress = new Progress()
  let isOver = false
  for (const output of [child.stdout, child.stderr]) {
    createInterface(output).on('line', line => {
      lines.push(line)
      progress.announce()
    })
  }
  child.once('exit', () => {
    isOver = true
    progress.announce()
  })
  scope.teardown(async () => {
    if (!isOver) child.kill('SIGTERM')
    // Some wait for their last stream when they are told to end.
    const patience = setTimeout(killAll, 2_000)
    await gone
    clearTimeout(patience)
    killAll()
    process.off('exit', killAll)
  })
  const log = () => `${command} said:\n${lines.slice(-50).join('\n')}`
  return {
    async said(line, times = 1) {
      await progress.until(
        () => {
          if (lines.filter(one => line.test(one)).length >= times) return true
          if (isOver) throw new Error(`It has ended. ${log()}`)
          return undefined
        },
        () => `${String(line)} was not said ${times} times. ${log()}`,
      )
    },
    signal: name => child.kill(name),
  }
}
