import { completeClock, type Clock } from '../../clock.ts'
import { duration, integer, knownKeys, text } from '../../options.ts'
import { HistoryPolicy, type HistoryOptions } from '../history-policy.ts'
import { checkClient, type ClientOrUrl, type Source } from './client.ts'

/** The name of a log, unless told otherwise. */
export const DEFAULT_NAME = 'events'
/** Milliseconds until a call to Redis is given up, unless told otherwise. */
export const DEFAULT_TIMEOUT = 2_000
/** Milliseconds between two questions whether Redis is still there, unless told otherwise. */
export const DEFAULT_WATCHDOG = 2_000
/** Calls that wait for Redis at once, unless told otherwise. */
export const DEFAULT_MAX_PENDING = 10_000

export interface RedisBrokerOptions {
  /**
   * A client of ioredis 5 or 6 (for one Redis, for Sentinels or for a Cluster), whose settings are used for connections
   * of the broker's own: where Redis is, and how to get there. What changes keys or answers is not taken over, such as
   * `keyPrefix` or `stringNumbers`: `name` says what keys begin with. Or a `redis://` or `rediss://` URL.
   */
  client: ClientOrUrl
  /** The name of the log. All keys and channels begin with it, as a hash tag: `{events}:…`. Default `events`. */
  name?: string
  /**
   * What a topic remembers; `bytes` are kept to within a sixteenth. It goes with each event that is published, and bounds
   * what an instance keeps itself: all processes of a log should say the same.
   */
  history?: HistoryOptions
  /** Milliseconds until a call to Redis is given up, once connected; it waits as long for a connection. Default 2,000. */
  timeout?: number
  /** Milliseconds between two questions whether Redis is still there. Default 2,000. */
  watchdog?: number
  /** Calls that may wait for Redis at once. Default 10,000. */
  maxPending?: number
  clock?: Partial<Clock>
}

export interface CheckedRedisOptions {
  readonly client: Source
  readonly name: string
  readonly policy: HistoryPolicy
  readonly timeout: number
  readonly watchdog: number
  readonly maxPending: number
  readonly clock: Clock
}

/** @throws {TypeError} that names the wrong option */
export function checkRedisOptions(what: string, options: RedisBrokerOptions): CheckedRedisOptions {
  knownKeys(what, options, ['client', 'name', 'history', 'timeout', 'watchdog', 'maxPending', 'clock'])
  const name = text('name', options.name, DEFAULT_NAME)
  if (/[{}\s]/.test(name)) throw new TypeError('`name` cannot contain braces or white space')
  return Object.freeze({
    client: checkClient(options.client),
    name,
    policy: new HistoryPolicy(options.history),
    timeout: duration('timeout', options.timeout, { default: DEFAULT_TIMEOUT }),
    watchdog: duration('watchdog', options.watchdog, { default: DEFAULT_WATCHDOG }),
    maxPending: integer('maxPending', options.maxPending, { min: 1, default: DEFAULT_MAX_PENDING }),
    clock: completeClock(options.clock),
  })
}
