import { completeClock, type Clock } from '../../clock.ts'
import { duration, integer, knownKeys, text } from '../../options.ts'
import { HistoryPolicy, type HistoryOptions } from '../history-policy.ts'
import { checkClient, type ClientOrUrl, type Source } from './client.ts'

/** The default name of a log. */
export const DEFAULT_NAME = 'events'
/** The default timeout of a call to Redis, in milliseconds. */
export const DEFAULT_TIMEOUT = 2_000
/** The default interval between health checks of Redis, in milliseconds. */
export const DEFAULT_WATCHDOG = 2_000
/** The default limit of calls waiting for Redis. */
export const DEFAULT_MAX_PENDING = 10_000

export interface RedisBrokerOptions {
  /**
   * An ioredis 5 or 6 client (for a single Redis, Sentinels or a Cluster), whose settings are used for the broker's own
   * connections: addresses and credentials. Settings that change keys or replies are ignored, such as `keyPrefix` or
   * `stringNumbers`: `name` is the prefix of keys. Or a `redis://` or `rediss://` URL.
   */
  client: ClientOrUrl
  /** The name of the log. All keys and channels begin with it, as a hash tag: `{events}:…`. Default `events`. */
  name?: string
  /**
   * The history of topics; `bytes` are exact to a sixteenth. It is applied with each published event, and bounds an
   * instance's own copy: all processes of a log should use the same.
   */
  history?: HistoryOptions
  /** The timeout of a call to Redis once connected, and of waiting for a connection, in milliseconds. Default 2,000. */
  timeout?: number
  /** Milliseconds between health checks of Redis. Default 2,000. */
  watchdog?: number
  /** The most calls waiting for Redis at once. Default 10,000. */
  maxPending?: number
  /** Source of time. For tests, which give it the hub's. */
  clock?: Partial<Clock> | undefined
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

/** @throws {TypeError} naming the invalid option */
export function checkRedisOptions(what: string, options: RedisBrokerOptions): CheckedRedisOptions {
  knownKeys(what, options, ['client', 'name', 'history', 'timeout', 'watchdog', 'maxPending', 'clock'])
  const name = text('name', options.name, DEFAULT_NAME)
  if (/[{}\s]/.test(name)) throw new TypeError('`name` must not contain braces or white space')
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
