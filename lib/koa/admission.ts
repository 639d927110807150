import type { Context } from 'koa'
import type { Subscriber } from '../hub/subscriber.ts'
import { redeem, type Caller } from './authentication.ts'
import { clientWordsOf } from './client-words.ts'
import { lastEventIdOf } from './last-event-id.ts'
import { expectNextPoll, isNextPoll } from './poll-turns.ts'
import type { RouteConfig } from './route-config.ts'
import { consume, type RateLimiters } from './rate-limit.ts'
import { answerEnded, refuse, turnAway } from './refusal.ts'

/** Counts the attempt, and turns the request away if there were too many lately. */
export async function isWithinRate(
  ctx: Context,
  config: RouteConfig,
  kind: keyof RateLimiters,
  name: string | undefined,
): Promise<boolean> {
  if (name === undefined || config.rate[kind] === undefined || isNextPoll(ctx, config, kind, name)) return true
  const wait = await consume(config, kind, name)
  if (wait > 0) turnAway(ctx, config, `${kind}-rate`, { wait })
  return wait === 0
}

/** Takes a place for a stream, or turns the request away. At once: two requests cannot both get the last place. */
export function enter(
  ctx: Context,
  config: RouteConfig,
  { identity, authenticator }: Caller,
  address: string,
): Subscriber | undefined {
  const { hub, limits } = config
  const crowded = hub.refusal(limits, address, identity)
  if (crowded !== undefined) {
    turnAway(ctx, config, crowded)
    return undefined
  }
  const revalidation = authenticator?.revalidation
  const isEventSource = ctx.method === 'GET'
  const { isVisible, isPoll } = clientWordsOf(ctx)
  const policy = isVisible ? config.visiblePolicy : config.policy
  const lastEventId = lastEventIdOf(ctx)
  const subscriber = hub.enter(policy, { identity, revalidation, address, lastEventId, isEventSource, isPoll })
  if (isPoll) expectNextPoll(config, subscriber)
  return subscriber
}

/** Takes a place among the identity's streams on all instances, where those are limited. */
export async function hasPlace(
  ctx: Context,
  config: RouteConfig,
  caller: Caller,
  stream: Subscriber['stream'],
): Promise<boolean> {
  const { identity } = caller
  const { hub, shared } = config
  if (identity === undefined || shared.identity === undefined) return true
  const isTaken = await hub.leases.take(`identity:${identity.id}`, stream, shared.identity)
  if (!isTaken) turnAway(ctx, config, 'identity-limit')
  else if (stream.closeReason !== undefined) answerEnded(ctx, config, caller, stream.closeReason)
  else return true
  return false
}

/** Has the credentials used up, where they are good for one stream. The stream may be closed meanwhile, as any. */
export async function hasRedeemed(
  ctx: Context,
  config: RouteConfig,
  caller: Caller,
  stream: Subscriber['stream'],
): Promise<boolean> {
  if (caller.authenticator?.redeem === undefined) return true
  const refusal = await redeem(ctx, config, caller)
  if (refusal !== undefined) refuse(ctx, config, refusal)
  else if (stream.closeReason !== undefined) answerEnded(ctx, config, caller, stream.closeReason)
  else return true
  return false
}
