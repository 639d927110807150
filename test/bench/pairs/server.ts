import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type Koa from 'koa'
import { NO_LIMITS } from '../contenders/library.ts'
import type { Opening } from '../load/crowd.ts'
import type { LoadCommands } from '../load/main.ts'
import { eventsOf, type Plan, type Publisher } from '../plan.ts'
import { LOAD_CORE, pin, SERVER_CORE, start } from '../processes.ts'
import { Remote } from '../remote.ts'

/** Options of a mount that is open to all clients and sends nothing but events. */
export const OPEN = { authenticate: false, heartbeat: false, limits: NO_LIMITS } as const

/** A server in this process, whose CPU is measured. */
export class Server {
  readonly #server
  readonly #port: number
  readonly #loads: Load[] = []

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  static async listen(app: Koa): Promise<Server> {
    pin(process.pid, SERVER_CORE)
    const server = createServer(app.callback()).listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
    await once(server, 'listening')
    return new Server(server)
  }

  /** Clients in a process of their own. */
  async clients(opening: Omit<Opening, 'port'>): Promise<Load> {
    const script = fileURLToPath(new URL('../load/main.js', import.meta.url))
    const remote = await Remote.connect<LoadCommands>(start([process.execPath, script], LOAD_CORE))
    await remote.call('open', { ...opening, port: this.#port })
    const load = new Load(remote, opening.count)
    this.#loads.push(load)
    return load
  }

  async close(): Promise<void> {
    for (const load of this.#loads) await load.stop()
    this.#server.close()
  }
}

/** The clients of one process. */
export class Load {
  readonly #remote: Remote<LoadCommands>
  readonly #count: number

  constructor(remote: Remote<LoadCommands>, count: number) {
    this.#remote = remote
    this.#count = count
  }

  /** Publishes by a plan and waits for the clients; answers the microseconds of CPU that each delivery took. */
  async cost(publisher: Publisher, plan: Plan): Promise<number> {
    const each = eventsOf(plan)
    await this.#remote.call('clear')
    const before = process.cpuUsage()
    await Promise.all([publisher.follow(plan), this.#remote.call('receive', { clients: this.#count, each })])
    const { user, system } = process.cpuUsage(before)
    return (user + system) / (this.#count * each)
  }

  stop(): Promise<void> {
    return this.#remote.stop()
  }
}
