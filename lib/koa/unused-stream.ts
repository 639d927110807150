import type { Subscriber } from '../hub/subscriber.ts'
import type { RouteConfig } from './route-config.ts'

// Routes that have been reported.
const told = new WeakSet<RouteConfig>()

/**
 * Reports a stream without topics that nothing has been written to for `limits.timeout` after it opened: most likely a
 * `return` is missing. Once for each route, since a stream may be silent on purpose.
 */
export function expectUse(subscriber: Subscriber, config: RouteConfig): void {
  const { stream } = subscriber
  const { hub, timeout } = config
  const isUnused = (): boolean => !subscriber.hasTopics && !stream.hasWritten
  if (told.has(config) || !isUnused()) return
  const cancel = hub.clock.after(timeout, () => {
    if (told.has(config) || !isUnused()) return
    told.add(config)
    hub.failed('subscribe', new Error(UNUSED), stream)
  })
  stream.once('close', cancel)
}

const UNUSED =
  '`subscribe` returned nothing, and nothing has been sent to the stream since: if it should have topics, return them, such as `return "news"`'
