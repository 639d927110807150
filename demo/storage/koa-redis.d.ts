// The types of koa-redis on npm describe ioredis 4.
declare module 'koa-redis' {
  import type { Redis } from 'ioredis'

  export default function redisStore<Data>(options: { client: Redis }): {
    get(key: string): Promise<Data | null>
    set(key: string, data: Data, maxAge: number): Promise<void>
    destroy(key: string): Promise<void>
  }
}
