import type { Context } from 'koa'
import { callInTime, isPromise } from '../application.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import { readSubscription, type Resolution, type TopicRoom } from '../hub/subscription.ts'
import { isAbortOf } from '../stream/abort.ts'
import type { RouteConfig } from './route-config.ts'
import { refuse } from './refusal.ts'
import { statusOf } from './response.ts'
import { discard } from './source.ts'

/**
 * Calls the subscription resolver within the route's timeout. Returns `undefined` if there will be no stream, since it
 * timed out or set a status other than 200, and the request has been answered.
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
  // Koa's default is 404. Any status other than 200 was set by the resolver.
  ctx.status = 200
  let answering: unknown
  let late: Error | undefined
  const limit = {
    clock: hub.clock,
    ms: timeout,
    what: '`subscribe`',
    late: (message: string) => (late = new Error(message)),
  }
  try {
    const answer = await callInTime(limit, () => {
      const given = subscribe(stream, ctx)
      // Each `then` of a foreign thenable may start its work again.
      answering = isPromise(given) ? Promise.resolve(given) : given
      return answering
    })
    if (ctx.status === 200) return readSubscription(answer, roomOf(subscriber))
    refuseAsSet(ctx, config, subscriber)
    ignoreAnswer(answer, config, subscriber)
    return undefined
  } catch (error) {
    // A resolver stopped by its stream's signal leaves the answer to whatever closed the stream.
    if (isAbortOf(stream.signal, error)) return { kind: 'topics', topics: [] }
    if (error !== late) {
      hub.refused('resolver', statusOf(error), error, stream.identity)
      throw error
    }
    refuse(ctx, config, { reason: 'resolver', status: 503, error })
    Promise.resolve(answering)
      .then(answer => {
        discard(readSubscription(answer, roomOf(subscriber)), stream, hub)
      })
      .catch((failure: unknown) => {
        if (!isAbortOf(stream.signal, failure)) hub.failed('resolver', failure, stream)
      })
    return undefined
  }
}

function roomOf({ topics, policy, identity }: Subscriber): TopicRoom {
  return { topics, maxTopics: policy.maxTopics, identity }
}

// Status and body are the resolver's; without a body Koa sends the status text.
function refuseAsSet(ctx: Context, { hub, authenticators }: RouteConfig, { stream }: Subscriber): void {
  if (stream.closeReason === 'client') return
  const { status, res } = ctx
  if (!res.hasHeader('Cache-Control')) ctx.set('Cache-Control', 'no-store')
  // RFC 9110, section 15.5.2, requires a challenge.
  if (status === 401 && authenticators.length > 0 && !res.hasHeader('WWW-Authenticate')) {
    ctx.set(
      'WWW-Authenticate',
      authenticators.map(({ challenge }) => challenge),
    )
  }
  const reason = status === 401 ? 'unauthenticated' : status === 403 ? 'forbidden' : 'resolver'
  hub.refused(reason, status, undefined, stream.identity)
}

// After a refusal such as `ctx.status = 403; return false`, the return value need not be a subscription.
function ignoreAnswer(answer: unknown, { hub }: RouteConfig, subscriber: Subscriber): void {
  let resolution: Resolution
  try {
    resolution = readSubscription(answer, roomOf(subscriber))
  } catch {
    return
  }
  discard(resolution, subscriber.stream, hub)
}
