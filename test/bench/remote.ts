import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

type Commands = Record<string, (...argument: [never]) => unknown>
type Arguments<C extends Commands, K extends keyof C> = Parameters<C[K]>

interface Call {
  readonly id: number
  readonly command: string
  readonly argument: unknown
}

type Answer = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string }

/** Does what the parent process asks for. Exits when the parent is gone. */
export function serveCommands(commands: Commands): void {
  const send = (answer: Answer) => process.send?.(answer)
  process.on('message', async ({ id, command, argument }: Call) => {
    try {
      send({ id, result: await commands[command]?.(argument as never) })
    } catch (error) {
      send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.once('disconnect', () => process.exit())
  process.send?.('ready')
}

/** A child process that does commands. */
export class Remote<C extends Commands> {
  readonly #child: ChildProcess
  readonly #calls = new Map<number, { resolve: (result: never) => void; reject: (reason: Error) => void }>()
  #lastId = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (answer: Answer) => {
      const call = this.#calls.get(answer.id)
      this.#calls.delete(answer.id)
      if ('error' in answer) call?.reject(new Error(answer.error))
      else call?.resolve(answer.result as never)
    })
    child.once('exit', (code, signal) => {
      for (const { reject } of this.#calls.values()) reject(new Error(`a process ended: ${code ?? signal ?? ''}`))
      this.#calls.clear()
    })
  }

  /** Waits until the process can be asked. */
  static async connect<C extends Commands>(child: ChildProcess): Promise<Remote<C>> {
    const abort = new AbortController()
    const [message] = await Promise.race([
      once(child, 'message', { signal: abort.signal }),
      once(child, 'exit', { signal: abort.signal }),
    ])
    abort.abort()
    if (message !== 'ready') throw new Error(`a process ended before it was ready: ${String(message)}`)
    return new Remote(child)
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process has not started')
    return this.#child.pid
  }

  call<K extends keyof C & string>(command: K, ...[argument]: Arguments<C, K>): Promise<Awaited<ReturnType<C[K]>>> {
    return new Promise((resolve, reject) => {
      this.#lastId += 1
      this.#calls.set(this.#lastId, { resolve, reject })
      this.#child.send({ id: this.#lastId, command, argument } satisfies Call)
    })
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}
