import type { Authenticator } from '../auth/authenticator.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { DoorConfig } from './door-config.ts'

/** What streams need to know of the desk that issues their tickets. */
interface TicketDesk {
  readonly hub: HubEngine
  /** Streams that take the tickets want TLS: a login must not be sent in the clear for one either. */
  wantTls(): void
}

const desks = new WeakMap<Authenticator, TicketDesk>()

/** Remembers whose tickets an authenticator takes. */
export function bindTickets(tickets: Authenticator, desk: TicketDesk): void {
  desks.set(tickets, desk)
}

/**
 * Checks that tickets are for streams of the same hub, since a log-out that the one hears of would not end streams of the
 * other, and has their desk want TLS where the streams do.
 *
 * @throws {TypeError} where they are of another hub
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
