import type { Context } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import { OPEN, type OpenMessage } from '../diagnostics.ts'
import type { EventMap } from '../wire/event.ts'
import { DONE_ID } from '../wire/cursor.ts'
import { networkOf } from './address.ts'
import { enter, isStanding, isWithinRate, mayHavePlace } from './admission.ts'
import { watchArrivals } from './arrival.ts'
import { authenticate, forget, resume, type Caller } from './authentication.ts'
import { ClientConnection } from './client-connection.ts'
import { clientWordsOf, takeClientWords } from './client-words.ts'
import { approach, verify } from './door.ts'
import { lastEventIdOf } from './last-event-id.ts'
import { acceptsEventStream, acceptsGzip, isPipelined } from './negotiation.ts'
import { openStream } from './opening.ts'
import type { AuthenticatedOptions, EventStreamOptions, Logins, PublicOptions } from './options.ts'
import { refuse, turnAway } from './refusal.ts'
import { setCompression, setNothing, setStreamHeaders } from './response.ts'
import { checkOptions, type RouteConfig } from './route-config.ts'

/** A Koa middleware that answers the request itself and never calls `next`. */
export type EventStreamMiddleware = (ctx: Context) => Promise<void>

/**
 * The Koa middleware that turns `ctx.body` into an authenticated, resumable event stream.
 *
 * Routing by method is left to the router. `HEAD` authenticates, counts against no rate limit, redeems no ticket, and
 * gets the status and headers that a GET would get.
 *
 * @throws {TypeError} at start-up, for a wrong option
 */
export function eventStream<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
>(options: AuthenticatedOptions<Events, Login>): EventStreamMiddleware
export function eventStream<Events extends object = EventMap>(options: PublicOptions<Events>): EventStreamMiddleware
export function eventStream<Events extends object = EventMap>(
  options: EventStreamOptions<Events>,
): EventStreamMiddleware {
  const config = checkOptions(options)
  watchArrivals()
  return ctx => {
    if (!OPEN.hasSubscribers) return answer(ctx, config)
    const message: OpenMessage = { hub: config.hub, ctx }
    return OPEN.tracePromise(() => answer(ctx, config, message), message)
  }
}

async function answer(ctx: Context, config: RouteConfig, message?: OpenMessage): Promise<void> {
  const { hub, limits } = config
  const arrivedAt = hub.clock.monotonic()
  const connection = new ClientConnection(ctx)
  takeClientWords(ctx)
  const insecure = approach(ctx, config)
  if (insecure !== undefined) {
    refuse(ctx, config, insecure)
    return
  }
  if (!acceptsEventStream(ctx)) {
    refuse(ctx, config, { reason: 'not-acceptable', status: 406 })
    return
  }
  const address = networkOf(ctx.ip)
  const crowded = isPipelined(ctx) ? 'pipelined' : hub.refusal(limits, address)
  if (crowded !== undefined) {
    turnAway(ctx, config, crowded)
    return
  }
  // HEAD reports what a GET would get, and uses nothing up (RFC 9110, section 9.3.2).
  const isHead = ctx.method === 'HEAD'
  if (!isHead && !(await isWithinRate(ctx, config, 'address', address))) return
  const caller = await authenticate(ctx, config)
  if ('status' in caller) {
    if (!connection.isGone) refuse(ctx, config, caller)
    return
  }
  if (isHead) {
    if (await tell(ctx, config, caller, address)) resume(ctx, config, caller)
    else await forget(ctx, config, caller)
    return
  }
  const inTime = await isWithinRate(ctx, config, 'identity', caller.identity?.id)
  // Once the stream has a place, anything that ends the login also closes the stream.
  const mayEnter = inTime && !connection.isGone && isStanding(ctx, config, caller)
  const subscriber = mayEnter ? enter(ctx, config, caller, { address, arrivedAt }) : undefined
  if (subscriber === undefined) {
    await forget(ctx, config, caller)
    return
  }
  connection.carry(subscriber.stream)
  const isOpen = await openStream(ctx, config, caller, subscriber)
  if (!isOpen || message === undefined) return
  message.stream = subscriber.stream
  message.hasTopics = subscriber.hasTopics
}

/** Answers HEAD with what a GET would get, as far as known without the resolver. Returns whether that is a stream. */
async function tell(ctx: Context, config: RouteConfig, caller: Caller, address: string): Promise<boolean> {
  if (!isStanding(ctx, config, caller)) return false
  const full = config.hub.refusal(config.limits, address, caller.identity)
  if (full !== undefined) {
    turnAway(ctx, config, full)
    return false
  }
  if (!(await mayHavePlace(ctx, config, caller))) return false
  if (lastEventIdOf(ctx) === DONE_ID) {
    setNothing(ctx)
    return false
  }
  const failure = await verify(ctx, caller, config)
  if (failure !== undefined) {
    refuse(ctx, config, failure)
    return false
  }
  // Anything that ended the login meanwhile found no stream to close.
  if (!isStanding(ctx, config, caller)) return false
  setStreamHeaders(ctx)
  if (config.policy.cohorts !== undefined) setCompression(ctx, acceptsGzip(ctx) && !clientWordsOf(ctx).isPoll)
  return true
}
