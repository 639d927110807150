import type { Redis } from 'ioredis'
import type { Shelf, Shelves } from './shelf.ts'

const SET_UNLESS_CHANGED = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
`

/** Values as JSON in Redis, for more than one process. */
export class RedisShelves implements Shelves {
  readonly #client: Redis

  constructor(client: Redis) {
    this.#client = client
  }

  shelf<Value>(name: string, ttl?: number): Shelf<Value> {
    const client = this.#client
    const place = (key: string) => `quayside:${name}:${key}`
    const read = (text: string | null) => (text === null ? undefined : (JSON.parse(text) as Value))
    return {
      get: async key => read(await client.get(place(key))),
      update: async (key, change) => {
        for (;;) {
          const before = await client.get(place(key))
          const value = change(read(before))
          if (value === undefined) return value
          const args = [before ?? '', JSON.stringify(value), ttl ?? '']
          if (await client.eval(SET_UNLESS_CHANGED, 1, place(key), ...args)) return value
        }
      },
    }
  }
}
