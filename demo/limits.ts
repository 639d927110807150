import { Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis, type RateLimiterAbstract } from 'rate-limiter-flexible'

/** Seconds that attempts are counted over. */
const MINUTE = 60

/** Failures to log in that one address has for one user name, before it must wait. */
export const MOST_FAILURES = 10

/** Streams that a user opens, by going from page to page, and an address, which may be a whole office. */
const MOST_OPENINGS = { identity: 120, address: 2_400 }

/** Streams of one user at once, on all instances: some more than anybody has, for the places of one that was killed. */
const MOST_STREAMS = 40

/** What nobody may do more often than so many times a minute. */
export interface Limits {
  readonly failures: RateLimiterAbstract
  /** For `eventStream`. */
  readonly streams: {
    readonly shared: { readonly identity: number }
    readonly rate: { readonly identity: RateLimiterAbstract; readonly address: RateLimiterAbstract }
  }
  close(): void
}

/** Counts in Redis if there is a URL, for all instances, and in this process otherwise, or while Redis is away. */
export function openLimits(redisUrl?: string): Limits {
  const client = redisUrl === undefined ? undefined : connect(redisUrl)
  const limiter = (name: string, points: number): RateLimiterAbstract => {
    const options = { keyPrefix: `quayside:rate:${name}`, points, duration: MINUTE }
    const memory = new RateLimiterMemory(options)
    return client === undefined
      ? memory
      : new RateLimiterRedis({ ...options, storeClient: client, insuranceLimiter: memory })
  }
  return {
    failures: limiter('login', MOST_FAILURES),
    streams: {
      shared: { identity: MOST_STREAMS },
      rate: {
        identity: limiter('identity', MOST_OPENINGS.identity),
        address: limiter('address', MOST_OPENINGS.address),
      },
    },
    close: () => client?.disconnect(),
  }
}

function connect(url: string): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: 1_000 })
  client.on('error', (error: Error) => {
    console.error(`limits: ${error.message}`)
  })
  return client
}
