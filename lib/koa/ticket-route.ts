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

/** What issues tickets, and the authenticator that takes them. */
export interface UrlTickets extends QueryAuthenticator {
  /**
   * A Koa middleware for a POST: `200 {"ticket":"…","expiresIn":30}`, in seconds, to whom `authenticate` knows; refusals as
   * of `eventStream()`; 405 for other methods.
   */
  readonly issue: (ctx: Context) => Promise<void>
}

/** What the route works with. */
interface Desk extends TicketConfig {
  readonly book: TicketBook
}

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
 * The desk has the guards of the streams: `requireSecure`, `origins`, `limits`. Of each user only so many tickets can be
 * waiting for their streams, on all instances together.
 *
 * The store gets the identity with its claims and the key of its session, for `ttl`: trust it as the store of sessions.
 *
 * @throws {TypeError} for a wrong option; by `eventStream()`, where its hub is another one
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
  // Whatever the method is, its credentials leave the URL.
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
    resume(ctx, desk)
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
  if (ticket === undefined)
    return { reason: 'ticket-limit', status: 429, wait: jitteredRetry(ORDINARY_WAIT, hub.clock) }
  // What was ended while the login was looked up has changed the standing already. Nobody ever sees this ticket.
  return endedMeanwhile(ctx, caller, desk) ?? { ticket, expiresIn: Math.floor(left / 1_000) }
}
