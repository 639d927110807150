import type { Context } from 'koa'
import type { Authenticator } from '../auth/authenticator.ts'
import { DEFAULT_REALM, quotable } from '../auth/challenge.ts'
import { ticketAuthenticator } from '../auth/ticket/authenticator.ts'
import { TicketBook } from '../auth/ticket/book.ts'
import type { Hub } from '../hub/hub.ts'
import { duration, invalid, knownKeys, text } from '../options.ts'
import { safeError } from '../safe-error.ts'
import type { EventMap } from '../wire/event.ts'
import { noteArrival, watchArrivals } from './arrival.ts'
import {
  authenticate,
  conceal,
  ended,
  endingOf,
  forget,
  inTime,
  stillHolds,
  type Caller,
  type Refusal,
} from './authentication.ts'
import { checkParam, concealedValues, concealParameter, hideBy, type QueryAuthenticator } from './query-parameter.ts'
import { secretsOf } from './request-secrets.ts'
import {
  checkAuthenticators,
  checkHub,
  checkOrigins,
  DEFAULT_TIMEOUT,
  type AuthenticationConfig,
} from './route-config.ts'
import { setNotAllowed, setRefusal, setTicket, type IssuedTicket } from './response.ts'

/** How long a ticket may wait to be used: 30 seconds, in milliseconds. */
export const DEFAULT_TICKET_TTL = 30_000
/** The longest that a ticket may wait to be used: a minute, in milliseconds. */
export const MAX_TICKET_TTL = 60_000
/** How long a stream that was opened with a ticket lives at most: 15 minutes, in milliseconds. */
export const DEFAULT_TICKET_LIFETIME = 900_000
/** The parameter that carries a ticket. */
export const DEFAULT_TICKET_PARAM = 'ticket'

export interface UrlTicketOptions<Events extends object = EventMap> {
  /** The hub of the streams. Its broker's store keeps the tickets, for all instances. */
  hub: Hub<Events>
  /** Who may have a ticket: asked on `issue`, as `eventStream()` asks. */
  authenticate: Authenticator | readonly Authenticator[]
  /** Names the streams that a ticket is for. It is good for no other audience of the hub. */
  audience: string
  /** How long a ticket may wait to be used, in milliseconds, from 1,000 to 60,000. Default: 30 s. */
  ttl?: number
  /**
   * How long a stream lives that was opened with a ticket, in milliseconds; spread over 0.9 to 1 of it. The login cannot
   * be looked up again from a ticket, so the client has to come for another one. Default: 15 min.
   */
  lifetime?: number
  /** Other origins whose pages may ask for a ticket with the user's cookie, as those of `eventStream()`. Default: none. */
  origins?: readonly string[]
  /** How long authentication, and then issuing, may take, in milliseconds. Default: 10 s. */
  timeout?: number
  /** The parameter that carries the ticket. Default: `ticket`. */
  param?: string
  /** The realm named in challenges. Default: `events`. */
  realm?: string
}

/** What issues tickets, and the authenticator that takes them. */
export interface UrlTickets extends QueryAuthenticator {
  /**
   * A Koa middleware for a POST: `200 {"ticket":"…","expiresIn":30}`, in seconds, to whom `authenticate` knows; refusals as
   * of `eventStream()`; 405 for other methods.
   */
  readonly issue: (ctx: Context) => Promise<void>
}

/** What the route works with. */
interface Desk extends AuthenticationConfig {
  readonly book: TicketBook
  readonly ttl: number
}

const KEYS = [
  'hub',
  'authenticate',
  'audience',
  'ttl',
  'lifetime',
  'origins',
  'timeout',
  'param',
  'realm',
] as const satisfies readonly (keyof UrlTicketOptions)[]

/**
 * Tickets for clients that cannot set headers, such as an EventSource of another origin: a page asks for one with its
 * login, `POST` to `issue`, and opens `GET /events?ticket=…` with it. Give the answer to `eventStream()` as an
 * authenticator.
 *
 * - A ticket has 256 random bits, is kept as its SHA-256 only, and opens one stream on one of all instances. A reconnect
 *   with the same URL gets 401: fetch a new ticket, and pass `lastEventId`.
 * - The stream is its issuer's (`id`, `session`, `token`, `claims`, `expiresAt`), so that `disconnect`, `revoke` and
 *   `watchSessions` close it; the scheme is `ticket`. They end tickets that have not been used as well.
 * - A ticket is used up when a place for the stream has been taken, right before `subscribe` is called. It is not by
 *   another method than GET, an `Accept` that fits no stream, a limit, a drain, another audience or a page of another
 *   origin; it is where `subscribe` refuses or the broker fails.
 * - Nobody can guess a ticket, so the origin of its request is not checked against `origins`. But where a page asked for
 *   it, by its `Origin`, no page of another origin can use it.
 * - The parameter is removed from `ctx.url`, `ctx.querystring`, `ctx.originalUrl` and `ctx.req.url` as soon as
 *   `eventStream()` is reached, even if it refuses the request. Mount `hide` before middleware that logs.
 *
 * The store gets the identity with its claims and the key of its session, for `ttl`: trust it as the store of sessions.
 *
 * @throws {TypeError} for a wrong option
 */
export function urlTicket<Events extends object = EventMap>(options: UrlTicketOptions<Events>): UrlTickets {
  knownKeys('urlTicket', options, KEYS)
  watchArrivals()
  const hub = checkHub(options.hub)
  const realm = quotable('realm', text('realm', options.realm, DEFAULT_REALM))
  const param = checkParam(options.param, DEFAULT_TICKET_PARAM)
  const hideTicket = (ctx: Context): void => {
    concealParameter(ctx, param)
  }
  const book = new TicketBook(hub.broker.store, text('audience', options.audience))
  const desk: Desk = Object.freeze({
    hub,
    authenticators: checkIssuers(options.authenticate),
    origins: checkOrigins(options.origins ?? []),
    timeout: duration('timeout', options.timeout, { default: DEFAULT_TIMEOUT }),
    ttl: duration('ttl', options.ttl, { min: 1_000, max: MAX_TICKET_TTL, default: DEFAULT_TICKET_TTL }),
    book,
  })
  return Object.freeze({
    ...ticketAuthenticator({
      book,
      realm,
      codes: ctx => {
        hideTicket(ctx)
        return concealedValues(ctx, param)
      },
      lifetime: duration('lifetime', options.lifetime, { min: 1_000, default: DEFAULT_TICKET_LIFETIME }),
      clock: hub.clock,
      stands: ({ identity, standing }) => hub.revocationMarks.stands(identity, standing),
    }),
    conceal: hideTicket,
    hide: hideBy(hideTicket),
    issue: (ctx: Context) => issue(ctx, desk),
  })
}

async function issue(ctx: Context, desk: Desk): Promise<void> {
  noteArrival(ctx.req)
  conceal(ctx, desk)
  if (ctx.method !== 'POST') {
    setNotAllowed(ctx, 'POST')
    return
  }
  const caller = await authenticate(ctx, desk)
  if ('status' in caller) {
    refuse(ctx, desk, caller)
    return
  }
  const answer = await ticketFor(ctx, desk, caller)
  if ('ticket' in answer) {
    setTicket(ctx, answer)
    return
  }
  refuse(ctx, desk, answer)
  await forget(ctx, desk, caller)
}

async function ticketFor(ctx: Context, desk: Desk, caller: Caller): Promise<IssuedTicket | Refusal> {
  try {
    return await inTime(desk, 'the ticket could not be issued', () => enter(ctx, desk, caller))
  } catch (error) {
    return { reason: 'unavailable', status: 503, error: safeError(error, secretsOf(ctx, caller.identity)) }
  }
}

async function enter(ctx: Context, desk: Desk, caller: Caller): Promise<IssuedTicket | Refusal> {
  const { hub, book, ttl } = desk
  const { identity } = caller
  if (identity === undefined) return ended(caller, desk)
  const standing = await hub.revocationMarks.standing(identity)
  // In this order: a login that ended before is gone by now, and one that ends later no longer stands so.
  if (!(await stillHolds(caller, desk))) return ended(caller, desk)
  const left = Math.min(ttl, (identity.expiresAt ?? Infinity) - hub.clock.now())
  const ticket = await book.enter({ identity, origin: ctx.get('origin'), standing }, left)
  // What was ended while the login was looked up has changed the standing already. Nobody ever sees this ticket.
  const ending = endingOf(ctx, desk, caller)
  if (ending === 'logout' || ending === 'revoked') return ended(caller, desk)
  if (ending !== undefined) return { reason: 'disconnected', status: 503 }
  return { ticket, expiresIn: Math.floor(left / 1_000) }
}

function refuse(ctx: Context, { hub }: Desk, { reason, status, challenges, error }: Refusal): void {
  setRefusal(ctx, status, challenges)
  hub.refused(reason, status, error)
}

function checkIssuers(authenticate: unknown): readonly Authenticator[] {
  const issuers = authenticate === false ? [] : checkAuthenticators(authenticate)
  if (issuers.length === 0) throw invalid('authenticate', 'an authenticator, or a list of them', authenticate)
  // Ticket for ticket, a login would go on for ever.
  if (issuers.every(issuer => issuer.redeem === undefined)) return issuers
  throw new TypeError('`authenticate` must not take tickets: a ticket is no login to get another one with')
}
