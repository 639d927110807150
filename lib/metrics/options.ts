import type { OpenMetricsContentType, Registry } from 'prom-client'
import { fn, invalid, knownKeys, text } from '../options.ts'

export interface MetricsOptions {
  /** The registry of prom-client whose `metrics()` the application serves: `register` of prom-client, or one of its own. */
  register: Registry | Registry<OpenMetricsContentType>
  /** What all names begin with. Two hubs in one registry need two. Default `koa_event_stream_`. */
  prefix?: string
  /**
   * Names the kind of a topic: `'order:17'` → `'order'`. Kinds are the label `topic` of what is counted by topics; topics
   * themselves never are. The first 100 kinds count by themselves, all others, and whatever is no kind (no string of 1 to 100
   * characters, a throw), as `other`. Called for every event: keep it cheap. Default: all are one kind, `all`.
   */
  topic?: (topic: string) => string
}

export interface CheckedMetricsOptions {
  readonly register: Registry
  readonly prefix: string
  readonly topic: (topic: string) => string
}

const DEFAULT_PREFIX = 'koa_event_stream_'

// Prometheus' names of metrics.
const PREFIX = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/

/** @throws {TypeError} that names the wrong option */
export function checkMetricsOptions(options: MetricsOptions): CheckedMetricsOptions {
  knownKeys('metrics', options, ['register', 'prefix', 'topic'])
  const prefix = text('prefix', options.prefix, DEFAULT_PREFIX)
  if (!PREFIX.test(prefix)) throw new TypeError('`prefix` must be the beginning of a metric’s name, such as `chat_`')
  return { register: checkRegister(options.register), prefix, topic: fn('topic', options.topic, () => 'all') }
}

function checkRegister(register: unknown): Registry {
  if (typeof register === 'object' && register !== null && 'registerMetric' in register) return register as Registry
  throw invalid('register', 'a registry of prom-client', register)
}
