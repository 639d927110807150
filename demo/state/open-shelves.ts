import { MemoryShelves } from './memory-shelves.ts'
import { RedisShelves } from './redis-shelves.ts'
import type { Shelves } from './shelf.ts'

/** Where the shop's state is kept: in Redis if there is a URL, otherwise in this process. */
export function openShelves(redisUrl?: string): Shelves {
  return redisUrl === undefined ? new MemoryShelves() : new RedisShelves(redisUrl)
}
