import { memoryBroker } from 'koa-event-stream'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { MemorySessions } from './memory-sessions.ts'
import { MemoryShelves } from './memory-shelves.ts'
import type { Storage } from './storage.ts'

/** All in this process: gone with it, and unknown to any other. */
export function memoryStorage(): Storage {
  return {
    broker: memoryBroker(),
    sessions: new MemorySessions(),
    shelves: new MemoryShelves(),
    limiter: (keyPrefix, points, duration) => new RateLimiterMemory({ keyPrefix, points, duration }),
    close: () => {
      // There is nothing to let go of.
    },
  }
}
