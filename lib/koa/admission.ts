import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import { endingOf, redeem, type Caller } from './authentication.ts'
import { clientWordsOf } from './client-words.ts'
import { lastEventIdOf } from './last-event-id.ts'
import { expectNextPoll, isNextPoll } from './poll-turns.ts'
import type { RouteConfig } from './route-config.ts'
import { consume, type RateLimiters } from './rate-limit.ts'
import { answerEnded, refuse, turnAway } from './refusal.ts'

/** Counts the attempt. Turns the request away if it exceeds the rate limit. */
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

/** Whether the login still stands since the request arrived. Turns the request away if not. */
export function isStanding(ctx: Context, config: RouteConfig, caller: Caller): boolean {
  const ending = endingOf(ctx, config, caller)
  if (ending !== undefined) answerEnded(ctx, config, caller, ending)
  return ending === undefined
}

/**
 * Reserves a place for a stream, or turns the request away. Synchronous: two requests cannot both get the last place.
 */
export function enter(
  ctx: Context,
  config: RouteConfig,
  { identity, authenticator }: Caller,
  { address, arrivedAt }: Pick<Subscriber, 'address' | 'arrivedAt'>,
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
  const fields = { identity, revalidation, address, arrivedAt, lastEventId, isEventSource, isPoll }
  const subscriber = hub.enter(policy, fields)
  if (isPoll) expectNextPoll(config, subscriber)
  return subscriber
}

/**
 * If the shared limit refuses further streams: reserves one of the identity's places on all instances, or turns the
 * request away.
 */
export async function hasPlace(
  ctx: Context,
  config: RouteConfig,
  caller: Caller,
  stream: Subscriber['stream'],
): Promise<boolean> {
  const { identity } = caller
  const { hub, shared } = config
  if (identity === undefined || shared.identity?.over !== 'refuse') return true
  const isTaken = await hub.leases.take(placesOf(identity), stream, shared.identity.most)
  if (!isTaken) turnAway(ctx, config, 'identity-limit')
  else if (stream.closeReason !== undefined) answerEnded(ctx, config, caller, stream.closeReason)
  else return true
  return false
}

/** Whether the identity has places left on all instances. Reserves none. */
export async function mayHavePlace(ctx: Context, config: RouteConfig, { identity }: Caller): Promise<boolean> {
  const { hub, shared } = config
  if (identity === undefined || shared.identity?.over !== 'refuse') return true
  const areTaken = await hub.leases.areTaken(placesOf(identity), shared.identity.most)
  if (areTaken) turnAway(ctx, config, 'identity-limit')
  return !areTaken
}

/**
 * If the shared limit replaces the oldest stream: takes its place on all instances, for a stream that has passed all
 * other checks. Returns the streams that have lost their places, which must be closed when the new one opens.
 */
export async function succeed({ hub, shared }: RouteConfig, subscriber: Subscriber): Promise<readonly string[]> {
  const { identity, stream } = subscriber
  if (identity === undefined || stream.closeReason !== undefined || shared.identity?.over !== 'oldest') return []
  return hub.leases.supersede(placesOf(identity), stream, shared.identity.most)
}

/**
 * Closes the streams that a new one replaces, right before it opens. Synchronous: two streams that open at once cannot
 * both keep the same ones.
 */
export function replaceOldest({ hub, limits }: RouteConfig, subscriber: Subscriber, lost: readonly string[]): void {
  const { identity } = subscriber
  if (identity === undefined) return
  // The store no longer counts them. If one stayed open, because the new stream's client has disconnected meanwhile,
  // there would be one too many as soon as another stream takes the place that is released.
  hub.supersede(identity.id, lost)
  if (limits.identity.over === 'oldest') hub.makeRoom(subscriber, limits.identity.most)
}

function placesOf({ id }: Identity): string {
  return `identity:${id}`
}

/** Redeems single-use credentials. The stream may be closed meanwhile, like any other. */
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
