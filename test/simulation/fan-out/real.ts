import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createPublisher, redisBroker } from 'koa-event-stream/redis'
import { received } from '../../bench/received.ts'
import { cpuTime } from '../../bench/processes.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis } from '../../support/redis-server.ts'

const DATA = 'x'.repeat(150)
const PUBLISHES = 2_000

export interface Measured {
  readonly instances: number
  /** CPU time of Redis, in microseconds, and bytes that it sent, of one publish that all instances hear. */
  readonly micros: number
  readonly bytes: number
  /** CPU time of Redis when all come back at once, in microseconds, and the commands that it was sent. */
  readonly stormMicros: number
  readonly stormCommands: number
  readonly stormScripts: number
}

/** Measures a real Redis with so many instances on one log, all of them in this process, each with so many topics. */
export async function measureFanOut(instances: number, topics: number): Promise<Measured> {
  const redis = await startRedis()
  const admin = new Redis(redis.url)
  const brokers = Array.from({ length: instances }, () => redisBroker({ client: redis.url }))
  const publisher = createPublisher({ client: redis.url })
  try {
    const listening = await Promise.all(brokers.map(broker => received(broker, 't0')))
    for (let topic = 1; topic < topics; topic += 1) {
      await Promise.all(brokers.map(async broker => broker.subscribe(`t${topic}`)))
    }
    const publish = async (count: number) => {
      const all = Promise.all(listening.map(one => one.more(count)))
      // One at a time: several on their way would share scripts and writes.
      for (let n = 0; n < count; n += 1) await publisher.publish('t0', { data: DATA })
      await all
    }
    await publish(200)
    const before = [cpuTime([redis.pid]), await sent(admin)] as const
    await publish(PUBLISHES)
    const micros = (cpuTime([redis.pid]) - before[0]) / PUBLISHES
    const bytes = ((await sent(admin)) - before[1]) / PUBLISHES

    await admin.config('RESETSTAT')
    const idle = cpuTime([redis.pid])
    for (const type of ['pubsub', 'normal'] as const) await admin.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes')
    await eventually(
      () => brokers.every(broker => !broker.ready),
      () => 'an instance has not noticed',
    )
    await eventually(
      () => brokers.every(broker => broker.ready),
      () => 'an instance has not come back',
    )
    const stormMicros = cpuTime([redis.pid]) - idle
    const stats = await admin.info('commandstats')
    await setTimeout(0)
    return {
      instances,
      micros,
      bytes,
      stormMicros,
      stormCommands: calls(stats, '\\w[^:]*'),
      stormScripts: calls(stats, '(?:evalsha|eval|fcall|evalsha_ro|eval_ro)'),
    }
  } finally {
    await publisher.close()
    for (const broker of brokers) await broker.close()
    admin.disconnect()
    await redis.stop()
  }
}

async function sent(admin: Redis): Promise<number> {
  return Number(/^total_net_output_bytes:(\d+)/m.exec(await admin.info('stats'))?.[1])
}

function calls(stats: string, command: string): number {
  const found = stats.matchAll(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'gm'))
  return [...found].reduce((total, [, count]) => total + Number(count), 0)
}
