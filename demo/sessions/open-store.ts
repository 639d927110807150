import { MemoryStore } from './memory-store.ts'
import { createRedisStore } from './redis-store.ts'
import type { SessionStore } from './session.ts'

/** The session store, and how to let go of it: in Redis if there is a URL, otherwise in this process. */
export function openSessionStore(redisUrl?: string): { store: SessionStore; close: () => void } {
  return redisUrl === undefined ? { store: new MemoryStore(), close: () => undefined } : createRedisStore(redisUrl)
}
