import type { Subscriber } from '../hub/subscriber.ts'
import type { RouteConfig } from './route-config.ts'

// Routes whose application has been told: one stream may be quiet for long, and on purpose.
const told = new WeakSet<RouteConfig>()

/**
 * Tells the operator of a stream that has no topics, and that nobody has written to when as much time has passed as its
 * resolver had: a `return` is missing, most likely. It is told once a route.
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
  '`subscribe` answered nothing, and nothing has been sent to the stream since: was it to return topics, such as `return "news"`?'
