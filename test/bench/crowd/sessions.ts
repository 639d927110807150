import type { Redis } from 'ioredis'

/** How koa-session is set up. */
export const SESSIONS = { signed: false, prefix: 'key-', key: 'session' }

const LIFETIME = 3_600_000
const BATCH = 1_000

/**
 * Puts a login for each of so many users into a store in Redis, as koa-session leaves it there.
 *
 * @returns their header lines, each with its CR LF
 */
export async function logIn(redis: Redis, count: number): Promise<string[]> {
  for (let from = 0; from < count; from += BATCH) {
    const pipeline = redis.pipeline()
    for (let i = from; i < Math.min(from + BATCH, count); i += 1) {
      const session = { userId: `user-${i}`, _expire: Date.now() + LIFETIME, _maxAge: LIFETIME }
      pipeline.set(`${SESSIONS.prefix}${i}`, JSON.stringify(session), 'PX', LIFETIME)
    }
    await pipeline.exec()
  }
  return Array.from({ length: count }, (_, i) => `Cookie: ${SESSIONS.key}=${SESSIONS.prefix}${i}\r\n`)
}
