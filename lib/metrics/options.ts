import type { OpenMetricsContentType, Registry } from 'prom-client'
import { fn, invalid, knownKeys, text } from '../options.ts'

export interface MetricsOptions {
  /** The prom-client registry whose `metrics()` the application serves: `register` of prom-client, or another one. */
  register: Registry | Registry<OpenMetricsContentType>
  /** The prefix of all names. Two hubs in one registry need two. Default `koa_event_stream_`. */
  prefix?: string
  /**
   * Returns the kind of a topic: `'order:17'` → `'order'`, the label `topic` of metrics; topics themselves are never
   * labels. The first 100 kinds are counted separately; all others, and invalid results (not a string of 1 to 100
   * characters, or a throw), as `other`. Called for every event: keep it cheap. Default: one kind, `all`.
   */
  topic?: (topic: string) => string
}

export interface CheckedMetricsOptions {
  readonly register: Registry
  readonly prefix: string
  readonly topic: (topic: string) => string
}

/** Where metrics are registered, and under which names. */
export interface MetricsPlace {
  readonly registers: Registry[]
  readonly prefix: string
}

const DEFAULT_PREFIX = 'koa_event_stream_'

// Valid metric names of Prometheus.
const PREFIX = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/

/** @throws {TypeError} naming the invalid option */
export function checkMetricsOptions(options: MetricsOptions): CheckedMetricsOptions {
  knownKeys('metrics', options, ['register', 'prefix', 'topic'])
  const prefix = text('prefix', options.prefix, DEFAULT_PREFIX)
  if (!PREFIX.test(prefix)) throw new TypeError('`prefix` must be a valid prefix of a metric name, such as `chat_`')
  return { register: checkRegister(options.register), prefix, topic: fn('topic', options.topic, () => 'all') }
}

function checkRegister(register: unknown): Registry {
  if (typeof register === 'object' && register !== null && 'registerMetric' in register) return register as Registry
  throw invalid('register', 'a prom-client registry', register)
}
