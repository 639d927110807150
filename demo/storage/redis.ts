import { Redis } from 'ioredis'
import { redisBroker } from 'koa-event-stream/redis'
import redisStore from 'koa-redis'
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible'
import type { SessionData } from '../sessions/session.ts'
import { RedisShelves } from './redis-shelves.ts'
import type { Storage } from './storage.ts'

/**
 * All in Redis, for several processes.
 *
 * Left to its defaults, ioredis keeps commands waiting while Redis is away, and every request waits with them. With these,
 * such a request fails at once, or within a second if Redis hangs.
 */
export function redisStorage(url: string): Storage {
  const client = new Redis(url, { maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: 1_000 })
  // The shop is filled, and guesses are counted, while the connection is being made.
  const patient = client.duplicate({ enableOfflineQueue: true })
  for (const each of [client, patient]) {
    each.on('error', (error: Error) => {
      console.error(`Redis: ${error.message}`)
    })
  }
  return {
    broker: redisBroker({ client: url, name: 'quayside' }),
    sessions: redisStore<SessionData>({ client }),
    shelves: new RedisShelves(patient),
    // While Redis is away each process counts for itself.
    limiter: (name, points, duration) => {
      const options = { keyPrefix: `quayside:rate:${name}`, points, duration }
      return new RateLimiterRedis({
        ...options,
        storeClient: patient,
        insuranceLimiter: new RateLimiterMemory(options),
      })
    },
    close: () => {
      client.disconnect()
      patient.disconnect()
    },
  }
}
