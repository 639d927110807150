import type { Context } from 'koa'
import { ticketAuthenticator } from '../auth/ticket/authenticator.ts'
import { TicketBook } from '../auth/ticket/book.ts'
import { safeError } from '../safe-error.ts'
import type { EventMap } from '../wire/event.ts'
import { jitteredRetry } from '../wire/retry.ts'
import { watchArrivals } from './arrival.ts'
import { ended, forget, inTime, resume, stillHolds, type Caller, type Refusal } from './authentication.ts'
import { approach, endedMeanwhile, ORDINARY_WAIT, pass } from './door.ts'
import { concealedValues, concealParameter, hideBy, type QueryAuthenticator } from './query-parameter.ts'
import { refuse } from './refusal.ts'
import { secretsOf } from './request-secrets.ts'
import { setNotAllowed, setTicket, type IssuedTicket } from './response.ts'
import { bindTickets } from './ticket-hub.ts'
import { checkTicketOptions, type TicketConfig, type UrlTicketOptions } from './ticket-options.ts'

/** Issues tickets, and authenticates by them. */
export interface UrlTickets extends QueryAuthenticator {
  /**
   * A Koa middleware for a POST: `200 {"ticket":"…","expiresIn":30}`, in seconds, for callers that `authenticate`
   * accepts; refusals as by `eventStream()`; 405 for other methods.
   */
  readonly issue: (ctx: Context) => Promise<void>
}

/** The configuration of the route, with its book of tickets. */
interface Desk extends TicketConfig {
  readonly book: TicketBook
}

/**
 * Tickets for clients that cannot set headers, such as an EventSource of another origin: a page gets one with its login
 * by `POST` to `issue`, and opens `GET /events?ticket=…` with it. Pass the result to `eventStream()` as an
 * authenticator.
 *
 * - A ticket has 256 random bits, is stored only as its SHA-256, and opens one stream on any of the instances. A
 *   reconnect with the same URL gets 401: fetch a new ticket, and pass `lastEventId`.
 * - The stream has the issuing login's identity (`id`, `session`, `token`, `claims`, `expiresAt`), so that
 *   `disconnect`, `revoke` and `watchSessions` close it; the scheme is `ticket`. They invalidate unused tickets as
 *   well.
 * - A ticket is redeemed once a place for the stream is reserved, right before `subscribe` is called. Another method
 *   than GET, an `Accept` that excludes streams, a limit, a drain, another audience or a page of another origin does
 *   not redeem it; a refusal by `subscribe` or a failure of the broker does.
 * - A ticket cannot be guessed, so the origin of its request is not checked against `origins`. But if a page requested
 *   it, as its `Origin` shows, no page of another origin can use it.
 * - The parameter is removed from `ctx.url`, `ctx.querystring`, `ctx.originalUrl` and `ctx.req.url` as soon as
 *   `eventStream()` runs, even if it refuses the request. Mount `hide` before middleware that logs.
 *
 * `issue` has the guards of the streams: `requireSecure`, `origins`, `limits`. The number of unused tickets of each
 * user is limited over all instances.
 *
 * The store gets the identity with its claims and its session key, for `ttl`: it must be as trusted as the session
 * store.
 *
 * @throws {TypeError} for a wrong option; by `eventStream()`, if it has another hub
 */
export function urlTicket<Events extends object = EventMap>(options: UrlTicketOptions<Events>): UrlTickets {
  const config = checkTicketOptions(options)
  watchArrivals()
  const { hub, audience, most, param, realm, maxAge } = config
  const { store, leases } = hub.broker
  const book = new TicketBook({
    store,
    places: leases,
    audience,
    most,
    failed: error => {
      hub.failed('ticket', error)
    },
  })
  const desk: Desk = Object.freeze({ ...config, book })
  const secured: Desk = Object.freeze({ ...desk, requireSecure: true })
  let guarded = desk
  const hideTicket = (ctx: Context): void => {
    concealParameter(ctx, param)
  }
  const tickets = Object.freeze({
    ...ticketAuthenticator({
      book,
      realm,
      codes: ctx => {
        hideTicket(ctx)
        return concealedValues(ctx, param)
      },
      maxAge,
      clock: hub.clock,
      stands: ({ identity, standing }) => hub.revocationMarks.stands(identity, standing),
    }),
    conceal: hideTicket,
    hide: hideBy(hideTicket),
    issue: (ctx: Context) => issue(ctx, guarded),
  })
  bindTickets(tickets, {
    hub,
    wantTls: () => {
      guarded = options.requireSecure === false ? desk : secured
    },
  })
  return tickets
}

async function issue(ctx: Context, desk: Desk): Promise<void> {
  // Remove the credentials from the URL, whatever the method.
  if (ctx.method !== 'POST') {
    approach(ctx, desk)
    setNotAllowed(ctx, 'POST')
    return
  }
  const caller = await pass(ctx, desk)
  if ('status' in caller) {
    refuse(ctx, desk, caller)
    return
  }
  const answer = await ticketFor(ctx, desk, caller)
  if ('ticket' in answer) {
    resume(ctx, desk, caller)
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
  // In this order: a login that ended before is rejected here, and one that ends later changes the standing.
  if (!(await stillHolds(caller, desk))) return ended(caller, desk)
  const left = Math.min(ttl, (identity.expiresAt ?? Infinity) - hub.clock.now())
  const ticket = await book.enter({ identity, origin: ctx.get('origin'), standing }, left)
  if (ticket === undefined)
    return { reason: 'ticket-limit', status: 429, wait: jitteredRetry(ORDINARY_WAIT, hub.clock) }
  // A login that ended during revalidation has changed its standing already, and this ticket is never sent.
  return endedMeanwhile(ctx, caller, desk) ?? { ticket, expiresIn: Math.floor(left / 1_000) }
}
