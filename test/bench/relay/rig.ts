import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { startRedis } from '../../support/redis-server.ts'
import type { LoadCommands } from '../load/main.ts'
import { cpuTime, LOAD_CORE, pin, SERVER_CORE, start } from '../processes.ts'
import { Remote } from '../remote.ts'
import type { ContenderName } from './contenders.ts'
import type { InstanceCommands } from './instance.ts'

const INSTANCE = fileURLToPath(new URL('instance.js', import.meta.url))
const LOAD = fileURLToPath(new URL('../load/main.js', import.meta.url))

export interface Instance {
  readonly remote: Remote<InstanceCommands>
  readonly port: number
}

/**
 * A Redis with two instances on one core, and a process with readers on the other. All of them go when this process does,
 * however it does.
 */
export class Rig {
  /** It has the model. */
  readonly producer: Instance
  /** Readers ask this one. */
  readonly other: Instance
  readonly load: Remote<LoadCommands>
  readonly #redis: number
  readonly #admin: Redis

  private constructor(
    producer: Instance,
    other: Instance,
    load: Remote<LoadCommands>,
    redis: { readonly url: string; readonly pid: number },
  ) {
    this.producer = producer
    this.other = other
    this.load = load
    this.#redis = redis.pid
    this.#admin = new Redis(redis.url)
  }

  /** Runs a measurement on one, and stops all of it. */
  static async with<T>(name: ContenderName, measure: (rig: Rig) => Promise<T>): Promise<T> {
    const stops: (() => unknown)[] = []
    try {
      const redis = await startRedis()
      stops.push(redis.stop)
      pin(redis.pid, SERVER_CORE)
      const process = async <C extends Record<string, (...argument: [never]) => unknown>>(
        script: string,
        core: 0 | 1,
        ...args: string[]
      ): Promise<Remote<C>> => {
        const child = start([globalThis.process.execPath, script, ...args], core)
        stops.push(() => child.kill('SIGKILL'))
        return Remote.connect<C>(child)
      }
      const instance = async (): Promise<Instance> => {
        const remote = await process<InstanceCommands>(INSTANCE, SERVER_CORE, name, redis.url)
        return { remote, port: await remote.call('port') }
      }
      const rig = new Rig(await instance(), await instance(), await process<LoadCommands>(LOAD, LOAD_CORE), redis)
      stops.push(() => rig.#admin.disconnect())
      return await measure(rig)
    } finally {
      for (const stop of stops.toReversed()) await stop()
    }
  }

  /** Starts an answer, and leaves. */
  async ask(id: string): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.producer.port}/answers/${id}`, { method: 'POST' })
    if (!response.ok) throw new Error(`an answer was not started: ${response.status}`)
    await response.body?.cancel()
  }

  /** CPU time of both instances and Redis, in microseconds. */
  cpu(): number {
    return cpuTime([this.producer.remote.pid, this.other.remote.pid, this.#redis])
  }

  /** How often something was published, by scripts, too. */
  async publishes(): Promise<number> {
    const calls = (await this.#admin.info('commandstats')).matchAll(/^cmdstat_s?publish:calls=(\d+)/gm)
    return [...calls].reduce((sum, [, count]) => sum + Number(count), 0)
  }
}
