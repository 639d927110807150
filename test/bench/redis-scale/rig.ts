import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { createPublisher, type Publisher } from 'koa-event-stream/redis'
import { startRedis } from '../../support/redis-server.ts'
import { start } from '../processes.ts'
import { Remote } from '../remote.ts'
import type { InstanceCommands } from './instance.ts'

const INSTANCE = fileURLToPath(new URL('instance.js', import.meta.url))
const WINDOW = 2_000

/** A Redis of its own, and processes with instances on it. */
export class Rig {
  readonly url: string
  readonly port: number
  readonly admin: Redis
  readonly #stops: (() => unknown)[]

  private constructor(url: string, port: number, stop: () => Promise<void>) {
    this.url = url
    this.port = port
    this.admin = new Redis(url)
    this.#stops = [stop, () => this.admin.disconnect()]
  }

  /** Runs a measurement on one, and stops all of it. */
  static async with<T>(measure: (rig: Rig) => Promise<T>): Promise<T> {
    const redis = await startRedis()
    const rig = new Rig(redis.url, redis.port, redis.stop)
    try {
      return await measure(rig)
    } finally {
      for (const stop of rig.#stops.toReversed()) await stop()
    }
  }

  /** @param url where its Redis is, if there is something between */
  async process(url = this.url): Promise<Remote<InstanceCommands>> {
    const child = start([process.execPath, '--expose-gc', INSTANCE, url], undefined)
    const remote = await Remote.connect<InstanceCommands>(child)
    this.#stops.push(() => remote.stop())
    return remote
  }

  publisher(age?: number): Publisher {
    const history = age === undefined ? {} : { history: { age } }
    const publisher = createPublisher({ client: this.url, maxPending: WINDOW * 2, ...history })
    this.#stops.push(() => publisher.close())
    return publisher
  }

  /** Something else that has to be stopped in the end. */
  teardown(stop: () => Promise<void>): void {
    this.#stops.push(stop)
  }

  /** Bytes. */
  async memory(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await this.admin.info('memory'))?.[1])
  }

  /** How often Redis has looked into a stream. */
  async reads(): Promise<number> {
    return Number(/^cmdstat_xrange:calls=(\d+)/m.exec(await this.admin.info('commandstats'))?.[1] ?? 0)
  }
}

/** Publishes events, many under way at once: one to each topic that is told. */
export async function publishAll(
  publisher: Publisher,
  topicOf: (index: number) => string,
  count: number,
  bytes = 200,
): Promise<void> {
  const data = 'x'.repeat(bytes - 'data: \n\n'.length)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await publisher.publish(topicOf(next++), { data })
  }
  await Promise.all(Array.from({ length: WINDOW }, worker))
}
