import type { Context } from 'koa'
import { currentKey } from '../auth/session-key.ts'
import { within } from '../deadline.ts'
import { EventStreamError } from '../errors.ts'
import type { Standing } from '../hub/feed/origin.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import type { Resolution } from '../hub/subscription.ts'
import { DONE_ID, parseCursor, type Position } from '../wire/cursor.ts'
import { hasPlace, hasRedeemed, replaceOldest, succeed } from './admission.ts'
import { forget, resume, type Caller } from './authentication.ts'
import { verify } from './door.ts'
import { handOff } from './hand-off.ts'
import { answerEnded, refuse, turnAway } from './refusal.ts'
import { resolve } from './resolution.ts'
import { setNothing, statusOf } from './response.ts'
import type { RouteConfig } from './route-config.ts'
import { NO_SOURCE, sourceOf, type Source } from './source.ts'
import { topicStarts } from './topic-starts.ts'
import { expectUse } from './unused-stream.ts'

const NOWHERE: Position = Object.freeze({ epoch: '', seq: 0 })

/** A stream that is subscribed to its topics. */
interface Prepared {
  readonly source: Source
  /** Whether the resolver has written to it. */
  readonly hasSent: boolean
}

/**
 * Opens a stream that has a place, and hands it to Koa. Returns whether it is open; otherwise its place has been released
 * and the request answered.
 *
 * @throws what the resolver throws, for Koa to answer
 */
export async function openStream(
  ctx: Context,
  config: RouteConfig,
  caller: Caller,
  subscriber: Subscriber,
): Promise<boolean> {
  let prepared: Prepared | undefined
  let isOpen = false
  try {
    prepared = await prepare(ctx, config, caller, subscriber)
    if (prepared !== undefined) {
      const lost = await succeed(config, subscriber)
      isOpen = activate(ctx, config, caller, subscriber, prepared, lost)
    }
  } finally {
    if (!isOpen) {
      subscriber.stream.abandon('error')
      await forget(ctx, config, caller)
    }
  }
  if (prepared === undefined || !isOpen) return false
  resume(ctx, config, caller)
  handOff(ctx, subscriber)
  prepared.source.start()
  if (prepared.source === NO_SOURCE) expectUse(subscriber, config)
  return true
}

/**
 * Resolves the subscription and subscribes the stream. Returns `undefined` if there will be no stream, and the request
 * has been answered.
 */
async function prepare(
  ctx: Context,
  config: RouteConfig,
  caller: Caller,
  subscriber: Subscriber,
): Promise<Prepared | undefined> {
  const { stream } = subscriber
  if (!(await hasPlace(ctx, config, caller, stream))) return undefined
  if (!(await hasRedeemed(ctx, config, caller, stream))) return undefined
  // An EventSource reconnects after it has read a source to its end.
  if (stream.lastEventId === DONE_ID) {
    setNothing(ctx)
    return undefined
  }
  // Before the resolver runs, so that changes of topics on all instances from then on are known to reach this one.
  await config.hub.instances.enter()
  const place = await standingOf(config, stream)
  const resolution = await resolve(ctx, config, subscriber)
  if (resolution === undefined) return undefined
  if (resolution.kind === 'nothing') {
    setNothing(ctx)
    return undefined
  }
  const source = sourceOf(resolution, stream, config.hub)
  // The resolver has given the session a new key: the client must reconnect with it, as revalidation would reject the
  // old one.
  const session = caller.identity?.session
  if (session !== undefined && currentKey(ctx, session) !== session) {
    turnAway(ctx, config, 'disconnected')
    return undefined
  }
  // What a resolver sends before it closes the stream is still delivered.
  const hasSent = stream.hasWritten
  if (!(await subscribe(ctx, config, subscriber, resolution, place))) return undefined
  const prepared = { source, hasSent }
  const failure = isOver(stream, prepared) ? undefined : await verify(ctx, caller, config)
  if (failure === undefined) return prepared
  refuse(ctx, config, failure)
  return undefined
}

/** Opens a prepared stream. Returns whether it is open; otherwise the request has been answered. */
function activate(
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

/** Whether the application closed the stream without fault of the client, and its contents can still be read. */
function wasClosed({ closeReason, destroyed }: Subscriber['stream']): boolean {
  return (closeReason === 'done' || closeReason === 'server') && !destroyed
}

/**
 * The current position of the log, read before the resolver runs: events published while that loads its state follow
 * the state. A client that resumes continues from its own position.
 */
async function standingOf({ hub, timeout }: RouteConfig, { lastEventId }: Subscriber['stream']): Promise<Standing> {
  const { broker, clock } = hub
  // The position that this instance has seen, as a fallback.
  let seen = NOWHERE
  try {
    seen = broker.position()
    if (typeof parseCursor(lastEventId) === 'object') return { position: seen, isKnown: true }
    const position = broker.look()
    if (!(position instanceof Promise)) return { position, isKnown: true }
    return { position: await within(clock, timeout, position, brokerTimedOut(timeout)), isKnown: true }
  } catch {
    // The hub reports the broker's failure as `lost`.
    return { position: seen, isKnown: false }
  }
}

/** Returns whether the stream is subscribed. If the broker is unavailable the client is told to retry. */
async function subscribe(
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

function brokerTimedOut(timeout: number): () => Error {
  return () => new EventStreamError('ERR_BROKER', `the broker did not answer within ${String(timeout)} ms`)
}
