import type { Hub } from '../hub/hub.ts'
import { registerFlow } from './flow.ts'
import { Observer } from './observer.ts'
import { checkMetricsOptions, type MetricsOptions } from './options.ts'
import { registerState } from './state.ts'
import { TopicKinds } from './topic-kinds.ts'

export interface Metrics {
  /** Measures nothing any more. What has been measured stays in the registry. */
  close(): void
}

/**
 * Measures a hub, for Prometheus: what it does is in the registry from now on, under names that begin with `prefix`. Labels
 * are closed vocabularies and kinds of topics, never a topic or an identity, so that there is a bounded number of them.
 *
 * Call it once a hub, before its first stream.
 *
 * @throws {TypeError} for a wrong option
 * @throws {Error} of prom-client, where the registry has metrics of the same names: give each hub a `prefix`
 */
export function metrics<Events extends object>(hub: Hub<Events>, options: MetricsOptions): Metrics {
  const checked = checkMetricsOptions(options)
  // Which events there are is for the compiler alone.
  const any = hub as unknown as Hub
  registerState(any, checked)
  const observer = new Observer(any, registerFlow(checked), new TopicKinds(checked.topic))
  return {
    close: () => {
      observer.stop()
    },
  }
}
