import type { Context, Middleware } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { HubEngine } from '../hub/engine.ts'
import { checkTopics, DEFAULT_WITHIN, type CheckedChange } from '../hub/subscription-change.ts'
import type { ChangeOutcome, Decision } from '../hub/subscriptions.ts'
import { duration, fn, integer, knownKeys } from '../options.ts'
import { safeError } from '../safe-error.ts'
import { MAX_ID_LENGTH } from '../wire/cursor.ts'
import type { EventMap } from '../wire/event.ts'
import { checkHub, DEFAULT_TIMEOUT } from './door-config.ts'
import { tell } from './json-answer.ts'
import { BODY_FAULTS, readJson } from './json-body.ts'
import type { IdentityOf, Logins } from './options.ts'
import { isAllowed } from './permission.ts'
import { identityGuard, type RequireIdentityOptions } from './require-identity.ts'
import { secretsOf } from './request-secrets.ts'
import { setNotAllowed } from './response.ts'

// Enough for the maximum number of topics with names of maximum length.
const DEFAULT_MAX_BODY_BYTES = 131_072
const KEYS = ['hub', 'authenticate', 'origins', 'requireSecure', 'limits', 'may', 'maxBodyBytes', 'within'] as const
const FIELDS = ['stream', 'subscribe', 'unsubscribe', 'seen'] as const

/** The changes that a page requests for its stream. */
export interface SubscriptionWish {
  /** Topics to add. */
  readonly subscribe: readonly string[]
  /** Topics to remove. */
  readonly unsubscribe: readonly string[]
}

/** Options of `subscriptionRoute()`. */
export interface SubscriptionRouteOptions<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
> extends Omit<RequireIdentityOptions<Events, Login>, 'refuse'> {
  /**
   * Whether the identity may add and remove these topics. If it throws, or takes longer than `limits.timeout`, the hub
   * emits `fault`, and the request gets 503.
   */
  may: (identity: IdentityOf<Login>, wish: SubscriptionWish, ctx: Context) => boolean | Promise<boolean>
  /** The size limit of a request body, in bytes. Default 128 KiB. */
  maxBodyBytes?: number
  /** How long to wait for the other instances' answers, in milliseconds. Default 2,000. */
  within?: number
}

interface Desk<Who> {
  readonly hub: HubEngine
  readonly may: (identity: Who, wish: SubscriptionWish, ctx: Context) => unknown
  readonly maxBodyBytes: number
  readonly timeout: number
  readonly within: number
}

/** A request: the stream and the changes. */
interface Wish extends SubscriptionWish {
  readonly stream: string
  readonly seen: string
}

/**
 * Changes the topics of a page's open stream: a Koa middleware for a POST of JSON, `{ "stream": "<id>", "subscribe":
 * ["room:7"], "unsubscribe": ["room:6"] }`, with at most 100 topics each, where `stream` is the id from the data of the
 * page's `cursor` event. In the page, `subscriptions()` of `koa-event-stream/client/subscriptions` sends these
 * requests.
 *
 * It answers `200 {"streams":1,"since":"…","complete":true}` as `hub.subscribe()` does. The stream must belong to the
 * same login as the request: the same `id`, and the same session if there is one. Otherwise, and if there is no such
 * stream, 404 with `"streams":0`.
 *
 * A topic removed by `hub.unsubscribe()` while `may` is running is not added again: 409, as for a stream that would
 * exceed `limits.topics`. Other refusals are those of `requireIdentity()`; in addition, 400 for an invalid request, 403
 * if `may` denies it, and 413, all without changing anything; 405, 408, 415; 503 with `Retry-After` if the log is
 * unavailable, or if not all instances have answered and none of the others has the stream: the request can be
 * repeated.
 *
 * @throws {TypeError} at start-up, for a wrong option
 */
export function subscriptionRoute<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
>(options: SubscriptionRouteOptions<Events, Login>): Middleware {
  knownKeys('subscriptionRoute', options, KEYS)
  const { may, maxBodyBytes, within, ...login } = options
  const guard = identityGuard(login)
  const desk: Desk<IdentityOf<Login>> = Object.freeze({
    hub: checkHub(options.hub),
    may: fn('may', may),
    maxBodyBytes: integer('maxBodyBytes', maxBodyBytes, { min: 1_024, default: DEFAULT_MAX_BODY_BYTES }),
    timeout: duration('limits.timeout', options.limits?.timeout, { default: DEFAULT_TIMEOUT }),
    within: duration('within', within, { default: DEFAULT_WITHIN }),
  })
  return async ctx => {
    // Topics removed from now on may be unknown to the login and to `may`.
    const decision = desk.hub.subscriptions.decide()
    await guard(ctx, stands => answer(ctx, desk, decision, stands))
  }
}

async function answer<Who>(
  ctx: Context,
  desk: Desk<Who>,
  decision: Decision,
  stands: () => Promise<boolean>,
): Promise<void> {
  if (ctx.method !== 'POST') {
    setNotAllowed(ctx, 'POST')
    return
  }
  const body = await readJson(ctx, { clock: desk.hub.clock, maxBytes: desk.maxBodyBytes })
  if (typeof body === 'number') {
    tell(ctx, body, { error: BODY_FAULTS[body] })
    return
  }
  let wish: Wish
  try {
    wish = readWish(body.json)
  } catch (error) {
    tell(ctx, 400, { error: (error as Error).message })
    return
  }
  const { subscribe, unsubscribe } = wish
  // Set by the guard.
  const identity = ctx.state.identity as Who
  const may = () => desk.may(identity, { subscribe, unsubscribe }, ctx)
  if (!(await isAllowed(ctx, desk, may, { error: 'not allowed to have these topics' }))) return
  // The login may have ended while a slow body was received.
  if (await stands()) await change(ctx, desk, wish, decision)
}

/** @throws {TypeError} or {EventStreamError} that say what is wrong */
function readWish(json: unknown): Wish {
  knownKeys('the body', json, FIELDS)
  const { stream, subscribe = [], unsubscribe = [], seen = '' } = json as Partial<Record<keyof Wish, unknown>>
  if (!isId(stream) || stream === '') throw new TypeError('`stream` must be the id of a stream')
  if (!isId(seen)) throw new TypeError('`seen` must be the id of an event')
  const wish = { stream, seen, subscribe: checkTopics(subscribe), unsubscribe: checkTopics(unsubscribe) }
  if (wish.subscribe.length + wish.unsubscribe.length === 0) throw new TypeError('there are no topics in the request')
  if (wish.subscribe.some(topic => wish.unsubscribe.includes(topic))) {
    throw new TypeError('a topic cannot be in `subscribe` and in `unsubscribe`')
  }
  return wish
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_ID_LENGTH
}

async function change<Who>(ctx: Context, { hub, within }: Desk<Who>, wish: Wish, decision: Decision): Promise<void> {
  const { stream, subscribe, unsubscribe, seen } = wish
  const identity = ctx.state.identity as Identity
  const { id, session } = identity
  const filter = { stream, identity: id, ...(session !== undefined && { session }) }
  const checked: CheckedChange = { filter, subscribe, unsubscribe, seen, within }
  try {
    tellOutcome(ctx, await hub.subscriptions.change(checked, decision))
  } catch (error) {
    const safe = safeError(error, secretsOf(ctx, identity))
    hub.refused('broker', 503, safe)
    comeBack(ctx, 'the log is unavailable: retry')
  }
}

function tellOutcome(ctx: Context, { streams, since, complete, refused }: ChangeOutcome): void {
  if (streams > 0) tell(ctx, 200, { streams, since, complete })
  else if (refused > 0) {
    tell(ctx, 409, {
      error: 'the topics cannot be added: the stream would have too many, or they were removed meanwhile',
      streams,
    })
  } else if (complete) tell(ctx, 404, { error: 'this login has no such stream', streams })
  else comeBack(ctx, 'not all instances have answered: retry')
}

function comeBack(ctx: Context, error: string): void {
  ctx.set('Retry-After', '1')
  tell(ctx, 503, { error })
}
