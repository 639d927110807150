import type { HubEngine } from '../hub/engine.ts'
import { checkHub } from '../koa/door-config.ts'
import { duration, integer, invalid, knownKeys } from '../options.ts'
import {
  DEFAULT_IDENTITY_RUNS,
  DEFAULT_KEEP,
  DEFAULT_LEASE,
  DEFAULT_LINGER,
  DEFAULT_PROCESS_RUNS,
  DEFAULT_SIZE,
  type RelayOptions,
} from './options.ts'

/** The checked options of `relay()`. Durations are milliseconds. */
export interface RelayConfig {
  readonly hub: HubEngine
  readonly name: string
  readonly lease: number
  readonly keep: number
  readonly linger: number
  readonly limits: { readonly identity: number; readonly process: number; readonly size: number }
}

const NAME = /^[0-9A-Za-z._-]{1,64}$/

/** @throws {TypeError} that names the wrong option */
export function checkRelay<Events extends object>(options: RelayOptions<Events>): RelayConfig {
  knownKeys('relay', options, ['hub', 'name', 'lease', 'keep', 'linger', 'limits'])
  const { name = 'runs', limits = {} } = options
  knownKeys('limits', limits, ['identity', 'process', 'size'])
  if (typeof name !== 'string' || !NAME.test(name)) throw invalid('name', '1 to 64 of 0-9 A-Z a-z . _ -', name)
  return Object.freeze({
    hub: checkHub(options.hub),
    name,
    lease: duration('lease', options.lease, { min: 1_000, default: DEFAULT_LEASE }),
    // The store keeps runs for twice as long.
    keep: duration('keep', options.keep, { min: 1_000, max: 2 ** 30 - 1, default: DEFAULT_KEEP }),
    linger: duration('linger', options.linger, { min: 0, max: 60_000, default: DEFAULT_LINGER }),
    limits: Object.freeze({
      identity: integer('limits.identity', limits.identity, { min: 1, default: DEFAULT_IDENTITY_RUNS }),
      process: integer('limits.process', limits.process, { min: 1, default: DEFAULT_PROCESS_RUNS }),
      size: integer('limits.size', limits.size, { min: 65_536, default: DEFAULT_SIZE }),
    }),
  })
}
