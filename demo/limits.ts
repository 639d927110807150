import type { RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Storage } from './storage/storage.ts'

/** Seconds that attempts are counted over. */
const MINUTE = 60

/** Guesses at the password of one user that come from one address, and all that come from it, which may be a whole office. */
const MOST_GUESSES = { user: 10, address: 100 }

/** Streams that a user opens, by going from page to page, and an address. */
const MOST_OPENINGS = { identity: 120, address: 2_400 }

/** Streams of one user at once, on all instances: some more than anybody has, for the places of one that was killed. */
const MOST_STREAMS = 40

/** What nobody may do more often than so many times a minute. */
export interface Limits {
  readonly guesses: { readonly user: RateLimiterAbstract; readonly address: RateLimiterAbstract }
  readonly streams: {
    readonly shared: { readonly identity: number }
    readonly rate: { readonly identity: RateLimiterAbstract; readonly address: RateLimiterAbstract }
  }
}

/** What every route of streams is guarded by: options of `eventStream`. */
export interface StreamGuards {
  readonly limits: Limits['streams']
  /** Whether nobody gets a stream over plain HTTP. */
  readonly requireSecure: boolean
}

export function createLimits(storage: Storage): Limits {
  const limiter = (name: string, points: number): RateLimiterAbstract => storage.limiter(name, points, MINUTE)
  return {
    guesses: {
      user: limiter('login', MOST_GUESSES.user),
      address: limiter('login-address', MOST_GUESSES.address),
    },
    streams: {
      shared: { identity: MOST_STREAMS },
      rate: {
        identity: limiter('identity', MOST_OPENINGS.identity),
        address: limiter('address', MOST_OPENINGS.address),
      },
    },
  }
}
