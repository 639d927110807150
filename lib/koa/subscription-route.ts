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

// Room for the most topics there may be, of the longest names.
const DEFAULT_MAX_BODY_BYTES = 131_072
const KEYS = ['hub', 'authenticate', 'origins', 'requireSecure', 'limits', 'may', 'maxBodyBytes', 'within'] as const
const FIELDS = ['stream', 'subscribe', 'unsubscribe', 'seen'] as const

/** What a page wishes for its stream. */
export interface SubscriptionWish {
  /** Topics that it is to get. */
  readonly subscribe: readonly string[]
  /** Topics that it is to lose. */
  readonly unsubscribe: readonly string[]
}

/** Options of `subscriptionRoute()`. */
export interface SubscriptionRouteOptions<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
> extends Omit<RequireIdentityOptions<Events, Login>, 'refuse'> {
  /**
   * Whether somebody may have these topics, and give up those. One that throws, or takes longer than `limits.timeout`, is a
   * `fault`, and the request gets 503.
   */
  may: (identity: IdentityOf<Login>, wish: SubscriptionWish, ctx: Context) => boolean | Promise<boolean>
  /** Bytes of a request's body. Default 128 KiB. */
  maxBodyBytes?: number
  /** Milliseconds that instances have for their answers. Default 2,000. */
  within?: number
}

interface Desk<Who> {
  readonly hub: HubEngine
  readonly may: (identity: Who, wish: SubscriptionWish, ctx: Context) => unknown
  readonly maxBodyBytes: number
  readonly timeout: number
  readonly within: number
}

/** A request: which stream, and what for. */
interface Wish extends SubscriptionWish {
  readonly stream: string
  readonly seen: string
}

/**
 * Topics for a page's own stream, while it lives: a Koa middleware for a POST of JSON, `{ "stream": "<id>", "subscribe":
 * ["room:7"], "unsubscribe": ["room:6"] }`, of at most 100 topics each, where `stream` is what the page has read in the data of its
 * `cursor` event. In the page, `subscriptions()` of `koa-event-stream/client/subscriptions` makes these requests.
 *
 * It answers `200 {"streams":1,"since":"…","complete":true}` as `hub.subscribe()` does. The stream must be one of the same
 * login as the request: of the same `id`, and of the same session where there is one. 404 with `"streams":0` where there is no
 * such stream, whether somebody else has it or nobody.
 *
 * What is taken away by `hub.unsubscribe()` while `may` is being asked is not brought back: 409, as for a stream that would have
 * more than `limits.topics`. Other refusals are those of `requireIdentity()`; besides, 400 for what is no wish, 403 for what `may`
 * denies, 413, and nothing was changed; 405, 408, 415; 503 with `Retry-After` where the log cannot be reached, or not all instances
 * have answered and none of the others has the stream: the same may be asked again.
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
    // What is taken away from now on, the login and `may` may not know of.
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
  // The guard has put it there.
  const identity = ctx.state.identity as Who
  const may = () => desk.may(identity, { subscribe, unsubscribe }, ctx)
  if (!(await isAllowed(ctx, desk, may, { error: 'not allowed to have these topics' }))) return
  // A body may have come slowly, and the login have ended meanwhile.
  if (await stands()) await change(ctx, desk, wish, decision)
}

/** @throws {TypeError} {EventStreamError} that say what is wrong */
function readWish(json: unknown): Wish {
  knownKeys('the body', json, FIELDS)
  const { stream, subscribe = [], unsubscribe = [], seen = '' } = json as Partial<Record<keyof Wish, unknown>>
  if (!isId(stream) || stream === '') throw new TypeError('`stream` must be the id of a stream')
  if (!isId(seen)) throw new TypeError('`seen` must be the id of an event')
  const wish = { stream, seen, subscribe: checkTopics(subscribe), unsubscribe: checkTopics(unsubscribe) }
  if (wish.subscribe.length + wish.unsubscribe.length === 0) throw new TypeError('there are no topics')
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
  const { id, session } = ctx.state.identity as Identity
  const filter = { stream, identity: id, ...(session !== undefined && { session }) }
  const checked: CheckedChange = { filter, subscribe, unsubscribe, seen, within }
  try {
    tellOutcome(ctx, await hub.subscriptions.change(checked, decision))
  } catch (error) {
    const safe = safeError(error, secretsOf(ctx))
    hub.refused('broker', 503, safe)
    comeBack(ctx, 'the log cannot be reached: ask again')
  }
}

function tellOutcome(ctx: Context, { streams, since, complete, refused }: ChangeOutcome): void {
  if (streams > 0) tell(ctx, 200, { streams, since, complete })
  else if (refused > 0) {
    tell(ctx, 409, { error: 'the stream cannot have these topics: it has too many, or they were taken away', streams })
  } else if (complete) tell(ctx, 404, { error: 'there is no such stream of this login', streams })
  else comeBack(ctx, 'not all instances have answered: ask again')
}

function comeBack(ctx: Context, error: string): void {
  ctx.set('Retry-After', '1')
  tell(ctx, 503, { error })
}
