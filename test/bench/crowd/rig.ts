import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createPublisher } from 'koa-event-stream/redis'
import { startRedis, type RedisServer } from '../../support/redis-server.ts'
import type { Contender, RunningServer } from '../contenders/contender.ts'
import { Histogram } from '../load/histogram.ts'
import { Publisher } from '../plan.ts'
import { cpuTime, residentMemory, start } from '../processes.ts'
import { Remote } from '../remote.ts'
import { busyTime } from './kernel.ts'
import type { CrowdCommands } from './load.ts'
import { Pulse } from './pulse.ts'
import { logIn } from './sessions.ts'
import type { Status } from './visitors.ts'

const PATH = '/events/news'
const POLL = 200
/** Milliseconds that may pass without anything having come nearer to what is waited for. */
const PATIENCE = 60_000

/** How many of each there are. */
export interface Processes {
  readonly servers: number
  readonly loads: number
}

/** CPU time, in microseconds. */
export interface Cpu {
  readonly servers: number
  readonly redis: number
  readonly load: number
  /** Of the whole machine, with whatever else runs there. */
  readonly machine: number
}

/** Servers that share one Redis, and as many processes with clients. All of them go when this process does, however it does. */
export class CrowdRig {
  readonly #contender: Contender
  readonly #build: string
  readonly #redis: RedisServer
  readonly #servers: RunningServer[] = []
  readonly #loads: Remote<CrowdCommands>[] = []
  readonly #admin: Redis
  readonly #stops: (() => unknown)[] = []
  #retiredCpu = 0

  private constructor(contender: Contender, build: string, redis: RedisServer) {
    this.#contender = contender
    this.#build = build
    this.#redis = redis
    this.#admin = new Redis(redis.url)
    this.#stops.push(redis.stop, () => this.#admin.disconnect())
  }

  /** Runs a measurement on so many processes, and stops all of them. */
  static async with<T>(
    contender: Contender,
    build: string,
    { servers, loads }: Processes,
    measure: (rig: CrowdRig) => Promise<T>,
  ): Promise<T> {
    const rig = new CrowdRig(contender, build, await startRedis())
    try {
      const script = join(build, 'test/bench/crowd/load.js')
      for (let n = 0; n < servers; n += 1) rig.#servers.push(await rig.#startServer())
      for (let n = 0; n < loads; n += 1) {
        const load = await Remote.connect<CrowdCommands>(start([process.execPath, script], undefined))
        rig.#stops.push(() => load.stop())
        rig.#loads.push(load)
      }
      await rig.#tellServers()
      return await measure(rig)
    } finally {
      await rig.#ask('close').catch(() => undefined)
      for (const stop of rig.#stops.toReversed()) await stop()
    }
  }

  get servers(): number {
    return this.#servers.length
  }

  /** Logs so many users in. Answers their header lines. */
  logIn(count: number): Promise<string[]> {
    return logIn(this.#admin, count)
  }

  /** Opens a stream for each, and answers how many seconds that took. */
  async open(headers: readonly string[]): Promise<number> {
    const share = headers.length / this.#loads.length
    const opened = await Promise.all(
      this.#loads.map((load, i) => {
        const own = headers.slice(Math.round(i * share), Math.round((i + 1) * share))
        return load.call('come', { path: PATH, headers: own })
      }),
    )
    return (Math.max(...opened.map(({ last }) => last)) - Math.min(...opened.map(({ first }) => first))) / 1e6
  }

  /** Publishes every so many milliseconds while something is done, and answers how often. */
  async publishWhile(interval: number, work: (pulse: Pulse) => Promise<void>): Promise<number> {
    // An event that is late is late; one that is given up would look like one that is lost.
    const publisher = createPublisher({ client: this.#redis.url, timeout: PATIENCE })
    const pulse = new Pulse(new Publisher((topic, data) => publisher.publish(topic, { data })), interval)
    pulse.start()
    try {
      await work(pulse)
    } finally {
      await pulse.stop()
      await publisher.close()
    }
    return pulse.published
  }

  /** Waits until everybody has a stream, and every event that was published. */
  async caughtUp(clients: number, published: () => number): Promise<void> {
    await this.#until(
      ({ open, least }) => open === clients && least >= published(),
      ({ open, least, behind, stories }) =>
        `${open} of ${clients} have a stream, and ${behind} are behind; the last has ${least} of ${published()} events\n` +
        stories.join('\n'),
    )
  }

  /** Has everybody come back who was there. */
  async allOpen(clients: number): Promise<void> {
    await this.#until(
      ({ open }) => open === clients,
      ({ open }) => `${open} of ${clients} have a stream`,
    )
  }

  /**
   * Replaces every server, one after the other: a new one starts and takes streams, the old one drains within so many
   * milliseconds and closes, and the next one follows when everybody has a stream again.
   *
   * @param restarted is told after each how many are done
   */
  async restartAll(within: number, clients: number, restarted: (count: number) => void): Promise<void> {
    for (const [i, old] of [...this.#servers.entries()]) {
      const successor = await this.#startServer()
      this.#servers[i] = successor
      await this.#tellServers()
      await old.shutdown?.(within)
      this.#retiredCpu += cpuTime(old.pids)
      await old.stop()
      await this.allOpen(clients)
      restarted(i + 1)
    }
  }

  async status(): Promise<Status> {
    const all = await this.#ask('status')
    const sum = (of: (status: Status) => number) => all.reduce((total, status) => total + of(status), 0)
    return {
      open: sum(({ open }) => open),
      ended: sum(({ ended }) => ended),
      refused: sum(({ refused }) => refused),
      behind: sum(({ behind }) => behind),
      stories: all.flatMap(({ stories }) => stories),
      least: Math.min(...all.map(({ least }) => least)),
      most: Math.max(...all.map(({ most }) => most)),
    }
  }

  /** How long events took since this was asked last. */
  async takeLatencies(): Promise<Histogram> {
    return Histogram.merged(await this.#ask('takeLatencies'))
  }

  cpu(): Cpu {
    return {
      servers: this.#retiredCpu + cpuTime(this.serverPids),
      redis: cpuTime([this.#redis.pid]),
      load: cpuTime(this.#loads.map(({ pid }) => pid)),
      machine: busyTime(),
    }
  }

  get serverPids(): number[] {
    return this.#servers.flatMap(({ pids }) => pids)
  }

  /** Bytes that the servers hold once garbage is collected. */
  async serverMemory(): Promise<number> {
    // Handles let go of their memory, and the collector of pages, over some turns.
    for (let i = 0; i < 3; i += 1) {
      await Promise.all(this.#servers.map(server => server.collect()))
      await setTimeout(100)
    }
    return residentMemory(this.serverPids)
  }

  /** Bytes that Redis holds. */
  redisMemory(): number {
    return residentMemory([this.#redis.pid])
  }

  async #startServer(): Promise<RunningServer> {
    // Anywhere, since there are more processes than cores.
    const server = await this.#contender.start(this.#build, { core: undefined, redis: this.#redis.url })
    this.#stops.push(() => server.stop())
    return server
  }

  async #tellServers(): Promise<void> {
    await this.#ask(
      'use',
      this.#servers.map(({ port }) => port),
    )
  }

  #ask<K extends keyof CrowdCommands>(
    command: K,
    ...argument: Parameters<CrowdCommands[K]>
  ): Promise<Awaited<ReturnType<CrowdCommands[K]>>[]> {
    return Promise.all(this.#loads.map(load => load.call(command, ...argument)))
  }

  async #until(isSo: (status: Status) => boolean, describe: (status: Status) => string): Promise<void> {
    let [seen, since] = ['', performance.now()]
    for (;;) {
      const status = await this.status()
      if (isSo(status)) return
      const now = describe(status)
      if (now !== seen) [seen, since] = [now, performance.now()]
      else if (performance.now() - since > PATIENCE) throw new Error(now)
      await setTimeout(POLL)
    }
  }
}
