import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Contender, RunningServer, ServerOptions } from './contenders/contender.ts'
import type { Opened, Opening, Received } from './load/crowd.ts'
import type { LoadCommands } from './load/main.ts'
import { eventsOf, type Plan } from './plan.ts'
import { cpuTime, LOAD_CORE, residentMemory, start, type Core } from './processes.ts'
import { Remote } from './remote.ts'

/** What something took. */
export interface Cost<T> {
  readonly result: T
  readonly seconds: number
  /** CPU time of the server's processes, in microseconds. */
  readonly cpu: number
}

/** A load generator that uses more of its core than this is what is measured. */
const SATURATED = 0.9

export interface RigOptions extends ServerOptions {
  /** Where the load generator may run. Default a core of its own. */
  readonly loadCore?: Core
}

/** A server and the clients that are its load. */
export class Rig {
  readonly server: RunningServer
  readonly #name: string
  readonly #load: Remote<LoadCommands>

  private constructor(name: string, server: RunningServer, load: Remote<LoadCommands>) {
    this.#name = name
    this.server = server
    this.#load = load
  }

  static async start(contender: Contender, build: string, options: RigOptions = {}): Promise<Rig> {
    const { loadCore = LOAD_CORE, ...server } = options
    const script = join(build, 'test/bench/load/main.js')
    const running = await contender.start(build, server)
    const load = await Remote.connect<LoadCommands>(start([process.execPath, script], loadCore))
    return new Rig(contender.title, running, load)
  }

  open(opening: Omit<Opening, 'port'>): Promise<Opened> {
    return this.#load.call('open', { ...opening, port: this.server.port })
  }

  /** Forgets what clients have received up to now. */
  clear(): Promise<void> {
    return this.#load.call('clear')
  }

  /** Resolves when each of so many clients has received so many events; rejects for any that is lost or out of order. */
  receive(clients: number, each: number): Promise<Received> {
    return this.#load.call('receive', { clients, each })
  }

  /** Publishes by a plan, and waits until all has been received. */
  async deliver(plan: Plan, clients: number): Promise<Received & { readonly first: number }> {
    await this.clear()
    const each = eventsOf(plan)
    const [{ first }, received] = await Promise.all([this.server.publish(plan), this.receive(clients, each)])
    return { ...received, first }
  }

  noteIds(): Promise<void> {
    return this.#load.call('noteIds')
  }

  lastId(): Promise<string | undefined> {
    return this.#load.call('lastId')
  }

  async cost<T>(work: () => Promise<T>): Promise<Cost<T>> {
    const [begin, cpu, load] = [performance.now(), cpuTime(this.server.pids), cpuTime([this.#load.pid])]
    const result = await work()
    const seconds = (performance.now() - begin) / 1_000
    const share = (cpuTime([this.#load.pid]) - load) / 1e6 / seconds
    if (share > SATURATED && seconds > 0.5) {
      console.error(`! ${this.#name}: the load generator was at ${(share * 100).toFixed(0)} % of its core`)
    }
    return { result, seconds, cpu: cpuTime(this.server.pids) - cpu }
  }

  /** The memory that the server holds once garbage is collected, in bytes. */
  async memory(): Promise<number> {
    // Handles let go of their memory, and the collector of pages, over some turns.
    for (let i = 0; i < 3; i += 1) {
      await this.server.collect()
      await setTimeout(100)
    }
    return residentMemory(this.server.pids)
  }

  /** Closes all streams. */
  close(): Promise<void> {
    return this.#load.call('close')
  }

  async stop(): Promise<void> {
    await this.close()
    await this.#load.stop()
    await this.server.stop()
  }
}
