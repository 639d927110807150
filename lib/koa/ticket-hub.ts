import type { Authenticator } from '../auth/authenticator.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { DoorConfig } from './door-config.ts'

/** The interface of a ticket issuer to the streams that accept its tickets. */
interface TicketDesk {
  readonly hub: HubEngine
  /** Requires TLS for issuing, since the streams require it: the login must not be sent in the clear either. */
  wantTls(): void
}

const desks = new WeakMap<Authenticator, TicketDesk>()

/** Records the issuer of the tickets that an authenticator accepts. */
export function bindTickets(tickets: Authenticator, desk: TicketDesk): void {
  desks.set(tickets, desk)
}

/**
 * Checks that tickets and streams have the same hub, since a log-out on one would not close streams of the other; and
 * requires TLS for issuing if the streams do.
 *
 * @throws {TypeError} if the hubs differ
 */
export function joinDesks({ authenticators, hub, requireSecure }: DoorConfig): void {
  for (const authenticator of authenticators) {
    const desk = desks.get(authenticator)
    if (desk === undefined) continue
    if (desk.hub !== hub) {
      throw new TypeError('`authenticate` has a urlTicket() of another hub: give both the same `hub`')
    }
    if (requireSecure) desk.wantTls()
  }
}
