import { createHash } from 'node:crypto'
import type { Context, Middleware } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import { EventStreamError } from '../errors.ts'
import type { HubEngine } from '../hub/engine.ts'
import { duration, fn, integer, knownKeys } from '../options.ts'
import { safeError } from '../safe-error.ts'
import type { EventInput, EventMap } from '../wire/event.ts'
import { encodePublication } from '../wire/publication.ts'
import { MAX_KEY_BYTES } from '../wire/publish-options.ts'
import { checkHub, DEFAULT_TIMEOUT } from './door-config.ts'
import { BODY_FAULTS, readJson } from './json-body.ts'
import { tell } from './json-answer.ts'
import type { IdentityOf, Logins } from './options.ts'
import { isAllowed } from './permission.ts'
import { identityGuard, type RequireIdentityOptions, type Stands } from './require-identity.ts'
import { secretsOf } from './request-secrets.ts'
import { setNotAllowed } from './response.ts'

/** The most events in a batch. */
const MAX_BATCH = 100
const DEFAULT_MAX_BODY_BYTES = 1_048_576

const KEYS = ['hub', 'authenticate', 'origins', 'requireSecure', 'limits', 'may', 'maxBodyBytes'] as const

/** Options of `publishRoute()`. */
export interface PublishRouteOptions<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
> extends Omit<RequireIdentityOptions<Events, Login>, 'refuse'> {
  /**
   * Whether somebody may publish to these topics: asked for each event, before any is published. One that throws, or takes
   * longer than `limits.timeout`, is a `fault`, and the request gets 503.
   */
  may: (identity: IdentityOf<Login>, topics: readonly string[], ctx: Context) => boolean | Promise<boolean>
  /** Bytes of a request's body. Default 1 MiB. */
  maxBodyBytes?: number
}

/** One event of a request. */
interface Item {
  readonly topics: readonly string[]
  readonly event: EventInput
}

interface Desk<Who> {
  readonly hub: HubEngine
  readonly may: (identity: Who, topics: readonly string[], ctx: Context) => unknown
  readonly maxBodyBytes: number
  readonly timeout: number
}

/**
 * Publishing over HTTP, for services that have neither Redis nor Node: a Koa middleware for a POST of JSON, which is one
 * event, `{ "topics": "orders", "event": "order.created", "data": { … } }`, or a list of at most 100.
 *
 * It answers `200 {"ids":["…"]}` once all are in the log, in their order, and the ids in the header `Event-ID`, too. With an
 * `Idempotency-Key` of up to 128 bytes a request may be repeated, whatever became of the first: what it has published
 * already is answered and not published again, as long as the log remembers keys (`publish`). Keys are each identity's own.
 *
 * Refusals are those of `requireIdentity()`. Besides: 400 for what is no event, 403 for topics that `may` denies and 413 for
 * what is too large, and nothing was published; 405, 408, 415; 503 with `Retry-After` where the log cannot be reached: `ids` of
 * its body are those of the first events, which were published. The body of each of these says what is wrong with which event.
 *
 * @throws {TypeError} at start-up, for a wrong option
 */
export function publishRoute<
  Events extends object = EventMap,
  Login extends Logins = Authenticator | readonly Authenticator[],
>(options: PublishRouteOptions<Events, Login>): Middleware {
  knownKeys('publishRoute', options, KEYS)
  const { may, maxBodyBytes, ...login } = options
  const guard = identityGuard(login)
  const desk: Desk<IdentityOf<Login>> = Object.freeze({
    hub: checkHub(options.hub),
    may: fn('may', may),
    maxBodyBytes: integer('maxBodyBytes', maxBodyBytes, { min: 1_024, default: DEFAULT_MAX_BODY_BYTES }),
    timeout: duration('limits.timeout', options.limits?.timeout, { default: DEFAULT_TIMEOUT }),
  })
  return async ctx => {
    await guard(ctx, stands => answer(ctx, desk, stands))
  }
}

async function answer<Who>(ctx: Context, desk: Desk<Who>, stands: Stands): Promise<void> {
  if (ctx.method !== 'POST') {
    setNotAllowed(ctx, 'POST')
    return
  }
  const key = ctx.get('Idempotency-Key')
  if (key.length > MAX_KEY_BYTES / 2) {
    tell(ctx, 400, { error: `\`Idempotency-Key\` must have at most ${String(MAX_KEY_BYTES / 2)} characters` })
    return
  }
  const body = await readJson(ctx, { clock: desk.hub.clock, maxBytes: desk.maxBodyBytes })
  if (typeof body === 'number') {
    tell(ctx, body, { error: BODY_FAULTS[body] })
    return
  }
  const items = checkItems(ctx, desk.hub, body.json)
  if (items === undefined || !(await areAllowed(ctx, desk, items))) return
  // A body may have come slowly, and the login have ended meanwhile.
  if (await stands()) await publish(ctx, desk.hub, items, key)
}

/** Checks all before any is published. */
function checkItems(ctx: Context, hub: HubEngine, json: unknown): readonly Item[] | undefined {
  const list: unknown[] = Array.isArray(json) ? json : [json]
  if (list.length === 0 || list.length > MAX_BATCH) {
    tell(ctx, 400, { error: `a batch has 1 to ${String(MAX_BATCH)} events` })
    return undefined
  }
  const items: Item[] = []
  for (const [index, given] of list.entries()) {
    const { topics, ...event } = Object(given) as { readonly topics?: unknown }
    try {
      // What it is, is checked there.
      items.push({ topics: encodePublication(topics as string, event, hub).topics, event })
    } catch (error) {
      // The application's `redact` has failed.
      if (!(error instanceof EventStreamError)) throw error
      tell(ctx, error.code === 'ERR_EVENT_TOO_LARGE' ? 413 : 400, { error: error.message, index })
      return undefined
    }
  }
  return items
}

async function areAllowed<Who>(ctx: Context, desk: Desk<Who>, items: readonly Item[]): Promise<boolean> {
  // The guard has put it there.
  const identity = ctx.state.identity as Who
  for (const [index, { topics }] of items.entries()) {
    const denied = { error: 'not allowed to publish to these topics', index }
    if (!(await isAllowed(ctx, desk, () => desk.may(identity, topics, ctx), denied))) return false
  }
  return true
}

async function publish(ctx: Context, hub: HubEngine, items: readonly Item[], key: string): Promise<void> {
  const ids: string[] = []
  try {
    for (const [index, { topics, event }] of items.entries()) {
      ids.push(await hub.publish(topics, event, { key: key === '' ? undefined : ownKey(ctx, key, index) }))
    }
  } catch (error) {
    const safe = safeError(error, secretsOf(ctx))
    hub.refused('broker', 503, safe)
    ctx.set('Retry-After', '1')
    tell(ctx, 503, { error: 'the log cannot be reached: repeat the request with its `Idempotency-Key`', ids })
    return
  }
  ctx.set('Event-ID', ids.join(', '))
  tell(ctx, 200, { ids })
}

/** Nobody else can name it, nor learn by it what somebody has published. */
function ownKey(ctx: Context, key: string, index: number): string {
  const { id } = ctx.state.identity as { readonly id: string }
  return createHash('sha256')
    .update(JSON.stringify([id, key, index]))
    .digest('base64url')
}
