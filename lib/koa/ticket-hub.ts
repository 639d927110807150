import type { Authenticator } from '../auth/authenticator.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { AuthenticationConfig } from './door-config.ts'

const hubs = new WeakMap<Authenticator, HubEngine>()

/** Remembers which hub's streams an authenticator takes tickets for. */
export function bindTickets(tickets: Authenticator, hub: HubEngine): void {
  hubs.set(tickets, hub)
}

/**
 * Checks that tickets are for streams of the same hub: a log-out that the one hears of would not end streams of the other.
 *
 * @throws {TypeError} where they are not
 */
export function requireOwnTickets({ authenticators, hub }: AuthenticationConfig): void {
  if (authenticators.every(authenticator => (hubs.get(authenticator) ?? hub) === hub)) return
  throw new TypeError('`authenticate` has a urlTicket() of another hub: give both the same `hub`')
}
