import { Registry } from 'prom-client'
import type { Hub } from '../hub/hub.ts'
import { registerFlow } from './flow.ts'
import { Observer } from './observer.ts'
import { checkMetricsOptions, type MetricsOptions } from './options.ts'
import { registerState } from './state.ts'
import { TopicKinds } from './topic-kinds.ts'

export interface Metrics {
  /** Stops measuring, and removes the metrics from the registry. */
  close(): void
}

/**
 * Measures a hub for Prometheus: registers its metrics under names that begin with `prefix`. Labels are closed
 * vocabularies and kinds of topics, never a topic or an identity, so the number of time series is bounded.
 *
 * Call it once per hub, before its first stream.
 *
 * @throws {TypeError} for an invalid option
 * @throws {Error} from prom-client, if the registry has metrics of the same names: give each hub a `prefix`
 */
export function metrics<Events extends object>(hub: Hub<Events>, options: MetricsOptions): Metrics {
  const checked = checkMetricsOptions(options)
  // The event types matter to the compiler only.
  const any = hub as unknown as Hub
  const { register, prefix, topic } = checked
  // Knows which of the registry's metrics are these.
  const own = new Registry()
  const place = { registers: [register, own], prefix }
  registerState(any, place)
  const observer = new Observer(any, registerFlow(place), new TopicKinds(topic))
  return {
    close: () => {
      observer.stop()
      for (const { name } of own.getMetricsAsArray()) {
        if (register.getSingleMetric(name) === own.getSingleMetric(name)) register.removeSingleMetric(name)
      }
    },
  }
}
