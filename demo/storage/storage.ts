import type { Broker } from 'koa-event-stream'
import type { RateLimiterAbstract } from 'rate-limiter-flexible'
import type { SessionStore } from '../sessions/session.ts'
import { memoryStorage } from './memory.ts'
import { redisStorage } from './redis.ts'
import type { Shelves } from './shelf.ts'

/** Where everything is that outlives a request. */
export interface Storage {
  readonly broker: Broker
  readonly sessions: SessionStore
  readonly shelves: Shelves
  /** Counts what nobody may do more often than so many times in so many seconds. */
  limiter(name: string, points: number, seconds: number): RateLimiterAbstract
  /** Lets go of it. The broker is closed by its hub. */
  close(): void
}

/** The one place that decides: all in Redis if there is a URL, for several processes, and otherwise in this process. */
export function openStorage(redisUrl?: string): Storage {
  return redisUrl === undefined ? memoryStorage() : redisStorage(redisUrl)
}
