import type { Context } from 'koa'
import { within } from '../deadline.ts'
import type { RefusalReason } from '../hub/lifecycle.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import { readSubscription, type Resolution } from '../hub/subscription.ts'
import { isAbortOf } from '../stream/abort.ts'
import type { CloseReason } from '../stream/close-reason.ts'
import type { EventMap } from '../wire/event.ts'
import { networkOf } from './address.ts'
import { authenticate, ended, forget, redeem, stillHolds, type Caller, type Refusal } from './authentication.ts'
import { Departure } from './departure.ts'
import { handOff } from './hand-off.ts'
import { lastEventIdOf } from './last-event-id.ts'
import {
  checkOptions,
  type AuthenticatedOptions,
  type EventStreamOptions,
  type Mount,
  type PublicOptions,
} from './options.ts'
import { setNothing, setOverloaded, setPostponed, setRefusal, setStreamHeaders, statusOf } from './response.ts'
import { consume, type RateLimiters } from './rate-limit.ts'
import { discard, sourceOf, type Source } from './source.ts'

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
  const departure = new Departure(ctx)
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

/** Counts the attempt, and turns the request away if there were too many lately. */
async function isWithinRate(
  ctx: Context,
  mount: Mount,
  kind: keyof RateLimiters,
  name: string | undefined,
): Promise<boolean> {
  const wait = name === undefined ? 0 : await consume(mount, kind, name)
  if (wait > 0) turnAway(ctx, mount, `${kind}-rate`, { wait })
  return wait === 0
}

/** Takes a place for a stream, or turns the request away. At once: two requests cannot both get the last place. */
function enter(ctx: Context, mount: Mount, { identity, authenticator }: Caller): Subscriber | undefined {
  const { hub, limits, policy } = mount
  const address = networkOf(ctx.ip)
  const crowded = hub.refusal(limits, address, identity)
  if (crowded !== undefined) {
    turnAway(ctx, mount, crowded)
    return undefined
  }
  const revalidation = authenticator?.revalidation
  return hub.enter(policy, { identity, revalidation, address, lastEventId: lastEventIdOf(ctx) })
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

/** Takes a place among the identity's streams on all instances, where those are limited. */
async function hasPlace(ctx: Context, mount: Mount, caller: Caller, stream: Subscriber['stream']): Promise<boolean> {
  const { identity } = caller
  const { hub, shared } = mount
  if (identity === undefined || shared.identity === undefined) return true
  const isTaken = await hub.leases.take(`identity:${identity.id}`, stream, shared.identity)
  if (!isTaken) turnAway(ctx, mount, 'identity-limit')
  else if (stream.closeReason !== undefined) answerEnded(ctx, mount, caller, stream.closeReason)
  else return true
  return false
}

/** Has the credentials used up, where they are good for one stream. The stream may be closed meanwhile, as any. */
async function hasRedeemed(ctx: Context, mount: Mount, caller: Caller, stream: Subscriber['stream']): Promise<boolean> {
  if (caller.authenticator?.redeem === undefined) return true
  const refusal = await redeem(ctx, mount, caller)
  if (refusal !== undefined) refuse(ctx, mount, refusal)
  else if (stream.closeReason !== undefined) answerEnded(ctx, mount, caller, stream.closeReason)
  else return true
  return false
}

/** Whether a stream was closed by the application, for no fault of its client's, and what it holds can still be read. */
function wasClosed({ closeReason, destroyed }: Subscriber['stream']): boolean {
  return (closeReason === 'done' || closeReason === 'server') && !destroyed
}

async function resolve(ctx: Context, mount: Mount, subscriber: Subscriber): Promise<Resolution | undefined> {
  const { hub, subscribe, timeout } = mount
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
    refuse(ctx, mount, { reason: 'resolver', status: 503, error })
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

// The stream was closed before it began.
function answerEnded(ctx: Context, mount: Mount, caller: Caller, reason: CloseReason): void {
  switch (reason) {
    case 'client':
      return
    case 'logout':
    case 'revoked':
      refuse(ctx, mount, ended(caller, mount))
      return
    case 'done':
      setNothing(ctx)
      return
    default:
      turnAway(ctx, mount, reason === 'drain' ? 'draining' : 'disconnected')
  }
}

function refuse(ctx: Context, { hub }: Mount, { reason, status, challenges, error }: Refusal): void {
  setRefusal(ctx, status, challenges)
  hub.refused(reason, status, error)
}

const TOO_MANY: ReadonlySet<RefusalReason> = new Set([
  'identity-limit',
  'address-limit',
  'identity-rate',
  'address-rate',
])

function turnAway(
  ctx: Context,
  { hub, policy, overload }: Mount,
  reason: RefusalReason,
  { error, wait = 0 }: { error?: unknown; wait?: number } = {},
): void {
  // A server that shuts down waits for connections that are kept alive.
  if (reason === 'draining' && ctx.req.httpVersionMajor === 1) ctx.set('Connection', 'close')
  if (overload === 'postpone') {
    setPostponed(ctx, policy.retry, wait)
    hub.refused(reason, 200, error)
    return
  }
  const status = TOO_MANY.has(reason) ? 429 : 503
  setOverloaded(ctx, status, policy.retry, wait)
  hub.refused(reason, status, error)
}

// What an EventSource sends needs no negotiation, whose parts Koa would keep for as long as the stream lives.
function acceptsEventStream(ctx: Context): boolean {
  const accept = ctx.get('accept')
  return accept === '' || accept === 'text/event-stream' || ctx.accepts('text/event-stream') !== false
}

// Node hands out the socket to one response at a time; a client that pipelines requests has the others wait behind a
// stream that may never end, and Node does not tell them when the client leaves.
function isPipelined(ctx: Context): boolean {
  return ctx.req.httpVersionMajor === 1 && ctx.res.socket === null
}
