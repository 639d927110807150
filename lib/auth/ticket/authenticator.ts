import type { Context } from 'koa'
import type { Clock } from '../../clock.ts'
import { AuthenticationError, type AuthenticationFailure } from '../authentication-error.ts'
import type { Authenticator } from '../authenticator.ts'
import { challenge } from '../challenge.ts'
import { createIdentity, hasEnded, type Identity } from '../identity.ts'
import { askStore, type Ticket, type TicketBook } from './book.ts'

/** What an authenticator by tickets works with. Durations are milliseconds. */
export interface TicketRules {
  readonly book: TicketBook
  /** The tickets that a request carries, in their order. */
  readonly codes: (ctx: Context) => readonly string[]
  readonly maxAge: number
  readonly realm: string
  readonly clock: Clock
  /** Whether the login behind a ticket has not been ended since the ticket was issued. */
  readonly stands: (ticket: Ticket) => Promise<boolean>
}

/** An authenticator whose tickets are used up. */
export type TicketAuthenticator = Authenticator & Required<Pick<Authenticator, 'redeem'>>

/** Authenticates by tickets, each of them once. */
export function ticketAuthenticator(rules: TicketRules): TicketAuthenticator {
  const { book, codes, maxAge, realm, clock, stands } = rules
  const rejection = challenge('Ticket', { realm, error: 'invalid_ticket' })
  const refuse = (failure: AuthenticationFailure, message: string) =>
    new AuthenticationError(failure, message, { challenge: rejection })

  function codeOf(ctx: Context): string | undefined {
    // Whatever is no request for a stream by EventSource must not use a ticket up; a HEAD only looks at it.
    const [code, ...others] = ['GET', 'HEAD'].includes(ctx.method) ? codes(ctx) : []
    if (others.length > 0) throw refuse('malformed', 'the query carries two tickets')
    if (code === '') throw refuse('malformed', 'the query holds no ticket')
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
    // A GET is told so when it has used the ticket up.
    if (ctx.method === 'HEAD') await requireStanding(ticket, code)
    return identity
  }

  async function requireStanding(ticket: Ticket, code: string | undefined): Promise<void> {
    if (await askStore(() => stands(ticket), [code, ticket.identity.session])) return
    throw refuse('rejected', 'the login behind the ticket has been ended')
  }

  async function redeem(ctx: Context): Promise<void> {
    const code = codeOf(ctx)
    const ticket = code === undefined ? undefined : await book.take(code)
    if (ticket === undefined) throw refuse('rejected', 'the ticket has been used by another request just now')
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

// Pages that got their tickets at the same time, after a restart, would all come for another at the same time.
function spread(clock: Clock): number {
  return 0.9 + clock.random() * 0.1
}

/**
 * Whether a request may come from the page that asked for the ticket. A page of another origin than ours names its own on
 * both requests. One of ours names it when it asks, as browsers do on every POST, but not on the GET of an EventSource;
 * an image or a script of a foreign page does not either, and is told by `Sec-Fetch-Site`.
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
    // Not enumerable, so that it is not among the others.
    ...(session !== undefined && { session }),
  })
}
