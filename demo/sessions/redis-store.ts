import { Redis } from 'ioredis'
import redisStore from 'koa-redis'
import type { SessionData, SessionStore } from './session.ts'

/**
 * Sessions in Redis, for more than one process.
 *
 * Left to its defaults, ioredis keeps commands waiting while Redis is away, and every request with a cookie waits with
 * them. With these, such a request fails at once, or within a second if Redis hangs.
 */
export function createRedisStore(url: string): { store: SessionStore; close: () => void } {
  const client = new Redis(url, { maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: 1_000 })
  client.on('error', (error: Error) => {
    console.error(`session store: ${error.message}`)
  })
  return {
    store: redisStore<SessionData>({ client }),
    close: () => {
      client.disconnect()
    },
  }
}
