import type { Context } from 'koa'
import { within } from '../deadline.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import type { Resolution } from '../hub/subscription.ts'
import type { EventMap } from '../wire/event.ts'
import { networkOf } from './address.ts'
import { enter, hasPlace, hasRedeemed, isWithinRate } from './admission.ts'
import { authenticate, ended, forget, stillHolds, type Caller, type Refusal } from './authentication.ts'
import { Departure } from './departure.ts'
import { handOff } from './hand-off.ts'
import { acceptsEventStream, isPipelined } from './negotiation.ts'
import { checkOptions, type Mount } from './mount.ts'
import type { AuthenticatedOptions, EventStreamOptions, PublicOptions } from './options.ts'
import { answerEnded, refuse, turnAway } from './refusal.ts'
import { resolve } from './resolution.ts'
import { setNothing, setStreamHeaders, statusOf } from './response.ts'
import { sourceOf, type Source } from './source.ts'

/** A Koa middleware that answers the request itself and calls no other. */
export type EventStreamMiddleware = (ctx: Context) => Promise<void>

/**
 * The Koa middleware that turns `ctx.body` into an authenticated, resumable event stream.
 *
 * The method of the request is the router's business; `HEAD` gets the headers and nothing else.
 *
 * @throws {TypeError} at start-up, for a wrong option
 */
export function eventStream<Events extends object = EventMap>(
  options: AuthenticatedOptions<Events>,
): EventStreamMiddleware
export function eventStream<Events extends object = EventMap>(options: PublicOptions<Events>): EventStreamMiddleware
export function eventStream<Events extends object = EventMap>(
  options: EventStreamOptions<Events>,
): EventStreamMiddleware {
  const mount = checkOptions(options)
  return ctx => answer(ctx, mount)
}

async function answer(ctx: Context, mount: Mount): Promise<void> {
  const { hub, limits } = mount
  const departure = new Departure(ctx)
  for (const authenticator of mount.authenticators) authenticator.conceal?.(ctx)
  if (mount.requireSecure && !ctx.secure) {
    refuse(ctx, mount, { reason: 'insecure', status: 403 })
    return
  }
  if (!acceptsEventStream(ctx)) {
    refuse(ctx, mount, { reason: 'not-acceptable', status: 406 })
    return
  }
  if (ctx.method === 'HEAD') {
    setStreamHeaders(ctx)
    return
  }
  const address = networkOf(ctx.ip)
  const crowded = isPipelined(ctx) ? 'pipelined' : hub.refusal(limits, address)
  if (crowded !== undefined) {
    turnAway(ctx, mount, crowded)
    return
  }
  if (!(await isWithinRate(ctx, mount, 'address', address))) return
  const caller = await authenticate(ctx, mount)
  if ('status' in caller) {
    if (!departure.gone) refuse(ctx, mount, caller)
    return
  }
  const inTime = await isWithinRate(ctx, mount, 'identity', caller.identity?.id)
  const subscriber = inTime && !departure.gone ? enter(ctx, mount, caller) : undefined
  if (subscriber === undefined) {
    await forget(ctx, mount, caller)
    return
  }
  departure.take(subscriber.stream)
  await admit(ctx, mount, caller, subscriber)
}

// From here on the stream holds a place, and is let go of on every way out that does not hand it to Koa.
async function admit(ctx: Context, mount: Mount, caller: Caller, subscriber: Subscriber): Promise<void> {
  let source: Source | undefined
  try {
    source = await prepare(ctx, mount, caller, subscriber)
  } finally {
    if (source === undefined) {
      subscriber.stream.abandon('error')
      await forget(ctx, mount, caller)
    }
  }
  if (source === undefined) return
  mount.hub.opened(subscriber)
  handOff(ctx, subscriber)
  source.start()
}

/** Makes the subscription stand. Answers `undefined` where there is to be no stream, and the request is answered. */
async function prepare(
  ctx: Context,
  mount: Mount,
  caller: Caller,
  subscriber: Subscriber,
): Promise<Source | undefined> {
  const { stream } = subscriber
  if (!(await hasPlace(ctx, mount, caller, stream))) return undefined
  if (!(await hasRedeemed(ctx, mount, caller, stream))) return undefined
  const resolution = await resolve(ctx, mount, subscriber)
  if (resolution === undefined) return undefined
  if (resolution.kind === 'nothing') {
    setNothing(ctx)
    return undefined
  }
  const source = sourceOf(resolution, stream, mount.hub)
  // What a resolver sends before it closes the stream goes out.
  const hasSent = stream.bufferedBytes > 0
  if (!(await open(ctx, mount, subscriber, resolution))) return undefined
  const isOver = () => stream.closeReason !== undefined && !(hasSent && wasClosed(stream))
  const failure = isOver() ? undefined : await verify(caller, mount)
  if (failure !== undefined) {
    refuse(ctx, mount, failure)
    return undefined
  }
  if (stream.closeReason === undefined || !isOver()) return source
  if (stream.errored !== null) {
    mount.hub.refused('resolver', statusOf(stream.errored), stream.errored)
    throw stream.errored
  }
  answerEnded(ctx, mount, caller, stream.closeReason)
  return undefined
}

/** Whether a stream was closed by the application, for no fault of its client's, and what it holds can still be read. */
function wasClosed({ closeReason, destroyed }: Subscriber['stream']): boolean {
  return (closeReason === 'done' || closeReason === 'server') && !destroyed
}

/** Answers whether the subscription stands. If the broker cannot, clients are to come back when it can again. */
async function open(ctx: Context, mount: Mount, subscriber: Subscriber, resolution: Resolution): Promise<boolean> {
  const { hub, timeout } = mount
  try {
    const standing = subscriber.open(resolution.kind === 'topics' ? resolution.topics : [])
    await within(
      hub.clock,
      timeout,
      standing,
      () => new Error(`the broker did not answer within ${String(timeout)} ms`),
    )
    return true
  } catch (error) {
    turnAway(ctx, mount, 'broker', { error })
    return false
  }
}

async function verify(caller: Caller, mount: Mount): Promise<Refusal | undefined> {
  try {
    return (await stillHolds(caller, mount)) ? undefined : ended(caller, mount)
  } catch (error) {
    return { reason: 'unavailable', status: 503, error }
  }
}
