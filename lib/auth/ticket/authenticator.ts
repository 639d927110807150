import type { Context } from 'koa'
import type { Clock } from '../../clock.ts'
import { AuthenticationError, type AuthenticationFailure } from '../authentication-error.ts'
import type { Authenticator } from '../authenticator.ts'
import { challenge } from '../challenge.ts'
import { createIdentity, hasEnded, type Identity } from '../identity.ts'
import { askStore, type Ticket, type TicketBook } from './book.ts'

/** The rules of a ticket authenticator. Durations are milliseconds. */
export interface TicketRules {
  readonly book: TicketBook
  /** The tickets of a request, in order. */
  readonly codes: (ctx: Context) => readonly string[]
  readonly maxAge: number
  readonly realm: string
  readonly clock: Clock
  /** Whether the login behind a ticket is still valid. */
  readonly stands: (ticket: Ticket) => Promise<boolean>
}

/** An authenticator whose tickets are single-use. */
export type TicketAuthenticator = Authenticator & Required<Pick<Authenticator, 'redeem'>>

/** Authenticates by single-use tickets. */
export function ticketAuthenticator(rules: TicketRules): TicketAuthenticator {
  const { book, codes, maxAge, realm, clock, stands } = rules
  const rejection = challenge('Ticket', { realm, error: 'invalid_ticket' })
  const refuse = (failure: AuthenticationFailure, message: string) =>
    new AuthenticationError(failure, message, { challenge: rejection })

  function codeOf(ctx: Context): string | undefined {
    // Only a GET, as EventSource sends it, uses up a ticket; a HEAD only checks it.
    const [code, ...others] = ['GET', 'HEAD'].includes(ctx.method) ? codes(ctx) : []
    if (others.length > 0) throw refuse('malformed', 'the query carries two tickets')
    if (code === '') throw refuse('malformed', 'the ticket in the query is empty')
    return code
  }

  async function authenticate(ctx: Context): Promise<Identity | undefined> {
    const code = codeOf(ctx)
    if (code === undefined) return undefined
    const ticket = await book.look(code)
    if (ticket === undefined) throw refuse('rejected', 'the ticket is unknown, has been used or has expired')
    if (!mayComeFrom(ctx, ticket.origin)) throw refuse('rejected', 'the ticket was issued to a page of another origin')
    const identity = ticketIdentity(ticket.identity, clock.now() + maxAge * spread(clock))
    if (hasEnded(identity, clock.now())) throw refuse('rejected', 'the login behind the ticket has expired')
    // A GET is checked when it redeems the ticket.
    if (ctx.method === 'HEAD') await requireStanding(ticket, code)
    return identity
  }

  async function requireStanding(ticket: Ticket, code: string | undefined): Promise<void> {
    if (await askStore(() => stands(ticket), [code, ticket.identity.session])) return
    throw refuse('rejected', 'the login behind the ticket has been revoked')
  }

  async function redeem(ctx: Context): Promise<void> {
    const code = codeOf(ctx)
    const ticket = code === undefined ? undefined : await book.take(code)
    if (ticket === undefined) throw refuse('rejected', 'the ticket has just been used by another request')
    await requireStanding(ticket, code)
  }

  return Object.freeze({
    scheme: 'ticket',
    challenge: challenge('Ticket', { realm }),
    rejection,
    ambient: false,
    authenticate,
    redeem,
  })
}

// Jitter: pages that got tickets at the same time, after a restart, would otherwise all request new ones at the same
// time.
function spread(clock: Clock): number {
  return 0.9 + clock.random() * 0.1
}

/**
 * Whether a request may come from the page that requested the ticket. A cross-origin page sends its `Origin` on both
 * requests. A same-origin page sends it on the POST for the ticket, but not on EventSource's GET; neither does an image
 * or script of a foreign page, which `Sec-Fetch-Site` reveals.
 */
function mayComeFrom(ctx: Context, origin: string): boolean {
  if (origin === '') return true
  const own = ctx.get('origin')
  if (own !== '') return own === origin
  const site = ctx.get('sec-fetch-site')
  return site !== 'cross-site' && site !== 'same-site'
}

function ticketIdentity(issuers: Identity, end: number): Identity {
  const { session } = issuers
  return createIdentity({
    ...issuers,
    scheme: 'ticket',
    expiresAt: Math.min(issuers.expiresAt ?? Infinity, end),
    // Not enumerable, so not included above.
    ...(session !== undefined && { session }),
  })
}
