import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Programs that run for as long as this one does. */
export class Children {
  readonly #running = new Set<ChildProcess>()

  constructor() {
    process.once('exit', () => {
      for (const child of this.#running) child.kill('SIGKILL')
    })
  }

  /** Starts a program; answers its process and what a line of its output says when it is ready. */
  async start(
    command: string,
    args: readonly string[],
    { ready, env = {} }: { ready: RegExp; env?: Record<string, string> },
  ): Promise<{ pid: number; said: string }> {
    // A process group of its own: Ctrl-C comes to this process alone, and things end in their order.
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: 'pipe', detached: true })
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    return new Promise((resolve, reject) => {
      let log = ''
      child.once('error', reject)
      child.once('exit', () => {
        reject(new Error(`${command} has ended:\n${log}`))
      })
      for (const output of [child.stdout, child.stderr]) {
        createInterface(output).on('line', line => {
          log = `${log}${line}\n`.slice(-4_096)
          const match = ready.exec(line)
          if (match && child.pid !== undefined) resolve({ pid: child.pid, said: match[1] ?? '' })
        })
      }
    })
  }

  /** Ends all, those that were started last first. */
  async stop(): Promise<void> {
    for (const child of [...this.#running].reverse()) {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
  }
}
