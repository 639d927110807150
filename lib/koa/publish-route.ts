import { createHash } from 'node:crypto'
import type { Context, Middleware } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
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
   * Whether the identity may publish to these topics: called for each event, before any is published. If it throws, or
   * takes longer than `limits.timeout`, the hub emits `fault`, and the request gets 503.
   */
  may: (identity: IdentityOf<Login>, topics: readonly string[], ctx: Context) => boolean | Promise<boolean>
  /** The size limit of a request body, in bytes. Default 1 MiB. */
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
 * Publishing over HTTP, for services without Redis or Node: a Koa middleware for a POST of JSON, which is one event, `{
 * "topics": "orders", "event": "order.created", "data": { … } }`, or a list of at most 100.
 *
 * It answers `200 {"ids":["…"]}` once all are in the log, in order; the header `Event-ID` has the ids, too. With an
 * `Idempotency-Key` of up to 128 bytes a request can safely be repeated, whatever happened to the first: events already
 * published are not published again, and their ids are returned, as long as the log remembers keys (`publish`). Keys
 * are separate for each identity.
 *
 * Refusals are those of `requireIdentity()`. In addition: 400 for an invalid event, 403 for topics that `may` denies
 * and 413 for too much data, all without publishing anything; 405, 408, 415; 503 with `Retry-After` if the log is
 * unavailable: the body's `ids` are those of the first events, which were published. The body of each of these says
 * what is wrong with which event.
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
  // The login may have ended while a slow body was received.
  if (await stands()) await publish(ctx, desk.hub, items, key)
}

/** Checks all events before any is published. */
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
      // `encodePublication` checks the type of `topics`.
      items.push({ topics: encodePublication(topics as string, event, hub).topics, event })
    } catch (error) {
      // An error of the application's `redact`.
      if (!(error instanceof EventStreamError)) throw error
      tell(ctx, error.code === 'ERR_EVENT_TOO_LARGE' ? 413 : 400, { error: error.message, index })
      return undefined
    }
  }
  return items
}

async function areAllowed<Who>(ctx: Context, desk: Desk<Who>, items: readonly Item[]): Promise<boolean> {
  // Set by the guard.
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
    const safe = safeError(error, secretsOf(ctx, ctx.state.identity as Identity))
    hub.refused('broker', 503, safe)
    ctx.set('Retry-After', '1')
    tell(ctx, 503, { error: 'the log is unavailable: retry with the same `Idempotency-Key`', ids })
    return
  }
  ctx.set('Event-ID', ids.join(', '))
  tell(ctx, 200, { ids })
}

/** Other identities cannot use the key, nor find out with it what was published. */
function ownKey(ctx: Context, key: string, index: number): string {
  const { id } = ctx.state.identity as { readonly id: string }
  return createHash('sha256')
    .update(JSON.stringify([id, key, index]))
    .digest('base64url')
}
