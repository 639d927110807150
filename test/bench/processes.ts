import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Where a process may run: one core, or anywhere. */
export type Core = 0 | 1 | undefined

export const SERVER_CORE = 0
export const LOAD_CORE = 1

/** Whether processes can be kept on a core. */
export const canPin = spawnSync('taskset', ['-c', '0,1', 'true']).status === 0

/** Starts a program on a core. Its standard output is ours, and it has a channel for messages. */
export function start(command: readonly string[], core: Core, env: NodeJS.ProcessEnv = {}): ChildProcess {
  const pinned = core === undefined || !canPin ? [] : ['taskset', '-c', String(core)]
  const [program = '', ...args] = [...pinned, ...command]
  return spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, ...env } })
}

/** Moves a process with all its threads to a core. */
export function pin(pid: number, core: Core): void {
  if (core !== undefined && canPin) execFileSync('taskset', ['-acp', String(core), String(pid)])
}

// Linux counts CPU time for programs in hundredths of a second, whatever the kernel's own clock.
const TICK = 10_000

/** CPU time that processes have used, user and system, in microseconds. */
export function cpuTime(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name before may contain anything, a closing parenthesis too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) * TICK
  }, 0)
}

/** Memory that processes hold, in bytes; what they share counts in part for each. */
export function residentMemory(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const pss = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]
    return sum + Number(pss) * 1_024
  }, 0)
}
