import type { Context } from 'koa'
import { within } from '../deadline.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import { readSubscription, type Resolution } from '../hub/subscription.ts'
import { isAbortOf } from '../stream/abort.ts'
import type { RouteConfig } from './route-config.ts'
import { refuse } from './refusal.ts'
import { statusOf } from './response.ts'
import { discard } from './source.ts'

/**
 * Asks the subscription resolver, within the time that the route gives it. Answers `undefined` where it took too long, and the request
 * has been answered.
 *
 * @throws what the resolver throws, for Koa to answer
 */
export async function resolve(
  ctx: Context,
  config: RouteConfig,
  subscriber: Subscriber,
): Promise<Resolution | undefined> {
  const { hub, subscribe, timeout } = config
  const { stream } = subscriber
  let late: Error | undefined
  const resolution = Promise.resolve()
    .then(() => subscribe(stream, ctx))
    .then(result => readSubscription(result, subscriber.topicsLeft))
  try {
    return await within(hub.clock, timeout, resolution, () => {
      late = new Error(`\`subscribe\` did not answer within ${String(timeout)} ms`)
      return late
    })
  } catch (error) {
    // A resolver that is stopped by its stream's signal leaves the answer to whatever closed the stream.
    if (isAbortOf(stream.signal, error)) return { kind: 'topics', topics: [] }
    if (error !== late) {
      hub.refused('resolver', statusOf(error), error)
      throw error
    }
    refuse(ctx, config, { reason: 'resolver', status: 503, error })
    resolution
      .then(answered => {
        discard(answered, stream, hub)
      })
      .catch((failure: unknown) => {
        if (!isAbortOf(stream.signal, failure)) hub.failed('resolver', failure, stream)
      })
    return undefined
  }
}
