import type { Context } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import { currentKey } from '../auth/session-key.ts'
import { within } from '../deadline.ts'
import { OPEN, type OpenMessage } from '../diagnostics.ts'
import { EventStreamError } from '../errors.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import type { Resolution } from '../hub/subscription.ts'
import type { EventMap } from '../wire/event.ts'
import type { Standing } from '../hub/feed/origin.ts'
import { DONE_ID, parseCursor, type Position } from '../wire/cursor.ts'
import { networkOf } from './address.ts'
import {
  enter,
  hasPlace,
  hasRedeemed,
  isStanding,
  isWithinRate,
  mayHavePlace,
  replaceOldest,
  succeed,
} from './admission.ts'
import { watchArrivals } from './arrival.ts'
import { authenticate, forget, resume, type Caller } from './authentication.ts'
import { ClientConnection } from './client-connection.ts'
import { takeClientWords } from './client-words.ts'
import { approach, verify } from './door.ts'
import { handOff } from './hand-off.ts'
import { lastEventIdOf } from './last-event-id.ts'
import { acceptsEventStream, acceptsGzip, isPipelined } from './negotiation.ts'
import { checkOptions, type RouteConfig } from './route-config.ts'
import type { AuthenticatedOptions, EventStreamOptions, Logins, PublicOptions } from './options.ts'
import { answerEnded, refuse, turnAway } from './refusal.ts'
import { resolve } from './resolution.ts'
import { topicStarts } from './topic-starts.ts'
import { expectUse } from './unused-stream.ts'
import { setCompression, setNothing, setStreamHeaders, statusOf } from './response.ts'
import { NO_SOURCE, sourceOf, type Source } from './source.ts'

/** A Koa middleware that answers the request itself and calls no other. */
export type EventStreamMiddleware = (ctx: Context) => Promise<void>

/**
 * The Koa middleware that turns `ctx.body` into an authenticated, resumable event stream.
 *
 * The method of the request is the router's business; `HEAD` authenticates, uses nothing up, and gets the
 * status and the headers that a GET would have.
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
  // A HEAD tells what a GET would be answered, and uses nothing up (RFC 9110, section 9.3.2).
  const isHead = ctx.method === 'HEAD'
  if (!isHead && !(await isWithinRate(ctx, config, 'address', address))) return
  const caller = await authenticate(ctx, config)
  if ('status' in caller) {
    if (!connection.isGone) refuse(ctx, config, caller)
    return
  }
  if (isHead) {
    if (await tell(ctx, config, caller, address)) resume(ctx, config)
    else await forget(ctx, config, caller)
    return
  }
  const inTime = await isWithinRate(ctx, config, 'identity', caller.identity?.id)
  // Once it has a place, whatever ends the login finds the stream.
  const mayEnter = inTime && !connection.isGone && isStanding(ctx, config, caller)
  const subscriber = mayEnter ? enter(ctx, config, caller, { address, arrivedAt }) : undefined
  if (subscriber === undefined) {
    await forget(ctx, config, caller)
    return
  }
  connection.carry(subscriber.stream)
  const isOpen = await admit(ctx, config, caller, subscriber)
  if (!isOpen || message === undefined) return
  message.stream = subscriber.stream
  message.hasTopics = subscriber.hasTopics
}

/** Answers what a GET would get, as far as that can be told without the resolver. Answers whether that is a stream. */
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
  // What has ended the login meanwhile has found no stream to close.
  if (!isStanding(ctx, config, caller)) return false
  setStreamHeaders(ctx)
  if (config.policy.cohorts !== undefined) setCompression(ctx, acceptsGzip(ctx))
  return true
}

/** A stream whose subscription stands. */
interface Prepared {
  readonly source: Source
  /** Whether its resolver has written to it. */
  readonly hasSent: boolean
}

// From here on the stream holds a place, and is let go of on every way out that does not hand it to Koa.
async function admit(ctx: Context, config: RouteConfig, caller: Caller, subscriber: Subscriber): Promise<boolean> {
  let prepared: Prepared | undefined
  let isOpen = false
  try {
    prepared = await prepare(ctx, config, caller, subscriber)
    if (prepared !== undefined) {
      const lost = await succeed(config, subscriber)
      isOpen = begins(ctx, config, caller, subscriber, prepared, lost)
    }
  } finally {
    if (!isOpen) {
      subscriber.stream.abandon('error')
      await forget(ctx, config, caller)
    }
  }
  if (prepared === undefined || !isOpen) return false
  resume(ctx, config)
  handOff(ctx, subscriber)
  prepared.source.start()
  if (prepared.source === NO_SOURCE) expectUse(subscriber, config)
  return true
}

/** Makes the subscription stand. Answers `undefined` where there is to be no stream, and the request is answered. */
async function prepare(
  ctx: Context,
  config: RouteConfig,
  caller: Caller,
  subscriber: Subscriber,
): Promise<Prepared | undefined> {
  const { stream } = subscriber
  if (!(await hasPlace(ctx, config, caller, stream))) return undefined
  if (!(await hasRedeemed(ctx, config, caller, stream))) return undefined
  // An EventSource that has read a source to its end asks for it again.
  if (stream.lastEventId === DONE_ID) {
    setNothing(ctx)
    return undefined
  }
  // Before the resolver decides, so that what is changed for streams on all instances from then on is known to reach this one.
  await config.hub.instances.enter()
  const place = await standing(config, stream)
  const resolution = await resolve(ctx, config, subscriber)
  if (resolution === undefined) return undefined
  if (resolution.kind === 'nothing') {
    setNothing(ctx)
    return undefined
  }
  const source = sourceOf(resolution, stream, config.hub)
  // The resolver has given the session another key: the client is to come back with that, as it would be refused with this.
  const session = caller.identity?.session
  if (session !== undefined && currentKey(ctx, session) !== session) {
    turnAway(ctx, config, 'disconnected')
    return undefined
  }
  // What a resolver sends before it closes the stream goes out.
  const hasSent = stream.hasWritten
  if (!(await open(ctx, config, subscriber, resolution, place))) return undefined
  const prepared = { source, hasSent }
  const failure = isOver(stream, prepared) ? undefined : await verify(ctx, caller, config)
  if (failure === undefined) return prepared
  refuse(ctx, config, failure)
  return undefined
}

/** Opens a stream whose subscription stands. Answers whether there is one: else the request is answered. */
function begins(
  ctx: Context,
  config: RouteConfig,
  caller: Caller,
  subscriber: Subscriber,
  prepared: Prepared,
  lost: readonly string[],
): boolean {
  const { stream } = subscriber
  replaceOldest(config, subscriber, lost)
  if (stream.closeReason === undefined || !isOver(stream, prepared)) {
    config.hub.opened(subscriber)
    return true
  }
  if (stream.errored !== null) {
    config.hub.refused('resolver', statusOf(stream.errored), stream.errored, stream.identity)
    throw stream.errored
  }
  answerEnded(ctx, config, caller, stream.closeReason)
  return false
}

function isOver(stream: Subscriber['stream'], { hasSent }: Prepared): boolean {
  return stream.closeReason !== undefined && !(hasSent && wasClosed(stream))
}

/** Whether a stream was closed by the application, for no fault of its client's, and what it holds can still be read. */
function wasClosed({ closeReason, destroyed }: Subscriber['stream']): boolean {
  return (closeReason === 'done' || closeReason === 'server') && !destroyed
}

/**
 * Where the log stands, asked before the resolver is: what is published while that loads its state comes behind the state.
 * Who resumes goes on from its own place.
 */
async function standing({ hub, timeout }: RouteConfig, { lastEventId }: Subscriber['stream']): Promise<Standing> {
  const { broker, clock } = hub
  // What this instance listens to is known as far as it has been seen.
  let seen = NOWHERE
  try {
    seen = broker.position()
    if (typeof parseCursor(lastEventId) === 'object') return { position: seen, isKnown: true }
    const position = broker.look()
    if (!(position instanceof Promise)) return { position, isKnown: true }
    return { position: await within(clock, timeout, position, brokerTimedOut(timeout)), isKnown: true }
  } catch {
    // The hub's `lost` event tells of the broker.
    return { position: seen, isKnown: false }
  }
}

/** Answers whether the subscription stands. If the broker cannot, clients are to come back when it can again. */
async function open(
  ctx: Context,
  config: RouteConfig,
  subscriber: Subscriber,
  resolution: Resolution,
  place: Standing,
): Promise<boolean> {
  const { hub, timeout } = config
  const topics = resolution.kind === 'topics' ? topicStarts(resolution.topics, config) : []
  try {
    const opening = subscriber.open(topics, place, resolution.kind === 'source')
    if (opening instanceof Promise) await within(hub.clock, timeout, opening, brokerTimedOut(timeout))
    return true
  } catch (error) {
    if (error instanceof EventStreamError && error.code === 'ERR_EVENT_INVALID') {
      hub.refused('resolver', 500, error, subscriber.identity)
      throw error
    }
    turnAway(ctx, config, 'broker', { error })
    return false
  }
}

const NOWHERE: Position = Object.freeze({ epoch: '', seq: 0 })

function brokerTimedOut(timeout: number): () => Error {
  return () => new EventStreamError('ERR_BROKER', `the broker did not answer within ${String(timeout)} ms`)
}
