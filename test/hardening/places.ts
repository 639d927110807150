import type { ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import type { IdentityLimitOption } from 'koa-event-stream'
import { redisBroker } from 'koa-event-stream/redis'
import { openEndpoint, type Endpoint, type StreamOptions } from '../koa/endpoint.ts'
import { eventually } from '../support/eventually.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { PATIENT } from '../support/progress.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

/** What Redis holds of ann's places. */
const PLACES = '{events}:places:identity:ann'

export interface Instance extends Endpoint {
  /** The clock of the hub, which its renewals go by. */
  readonly clock: ManualClock
}

/** A Redis, instances on it that share a limit, and a look at ann's places. */
export class Instances {
  readonly redis: RedisServer
  readonly admin: Redis
  readonly #t: ExecutionContext

  constructor(t: ExecutionContext, redis: RedisServer) {
    this.#t = t
    this.redis = redis
    this.admin = new Redis(redis.url)
    t.teardown(async () => this.admin.disconnect())
  }

  async open(most: number | IdentityLimitOption, options: StreamOptions = {}): Promise<Instance> {
    const clock = new ManualClock()
    const limits = { identity: 1_000, ...options.limits, shared: { identity: most } }
    const broker = redisBroker({ ...PATIENT, client: this.redis.url })
    const endpoint = await openEndpoint(this.#t, { overload: 'reject', ...options, limits }, { hub: { broker, clock } })
    return { ...endpoint, clock }
  }

  taken(): Promise<number> {
    return this.admin.zcard(PLACES)
  }

  /** Waits until so many places are taken. */
  async haveTaken(count: number): Promise<void> {
    await eventually(
      async () => (await this.taken()) === count,
      () => `ann has not ${count} places`,
    )
  }

  /** How many milliseconds the place lasts that ends first. */
  async left(): Promise<number> {
    const [, end = 'NaN'] = await this.admin.zrange(PLACES, '0', '0', 'WITHSCORES')
    const [seconds, microseconds] = await this.admin.time()
    return Number(end) - Number(seconds) * 1_000 - Number(microseconds) / 1_000
  }

  /** Lets milliseconds go by for all places. Redis has a clock of its own, which nobody can advance. */
  async elapse(ms: number): Promise<void> {
    for (const holder of await this.admin.zrange(PLACES, '0', '-1')) await this.admin.zincrby(PLACES, -ms, holder)
  }
}

export async function openInstances(t: ExecutionContext): Promise<Instances> {
  return new Instances(t, await startRedis(t))
}
