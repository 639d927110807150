import { createHash, randomBytes } from 'node:crypto'
import { AuthenticationError } from '../authentication-error.ts'
import { safeError } from '../../safe-error.ts'
import { createIdentity, type Identity } from '../identity.ts'

/** The ticket storage: a store with TTLs that all instances share. */
export interface TicketStore {
  set(key: string, value: string, ttl: number): Promise<void>
  get(key: string): Promise<string | undefined>
  take(key: string): Promise<string | undefined>
}

/** The data of a ticket. */
export interface Ticket {
  /** The identity that requested it. */
  readonly identity: Identity
  /** The origin of the page that requested it; empty without one, or for a client that is not a browser. */
  readonly origin: string
  /** The state of the login when the ticket was issued. */
  readonly standing: readonly string[]
}

/** Leases that bound a count per key across all instances. They expire by themselves. */
export interface TicketPlaces {
  lease(place: TicketPlace, ttl: number, most: number): Promise<boolean>
  release(places: readonly TicketPlace[]): Promise<void>
}

/** A ticket's lease, one of those of its user. */
export interface TicketPlace {
  readonly key: string
  readonly holder: string
}

/** The dependencies of a ticket book. */
export interface TicketBookParts {
  readonly store: TicketStore
  readonly places: TicketPlaces
  readonly audience: string
  /** The maximum of unused tickets per identity. */
  readonly most: number
  /** Called with errors that no caller waits for. */
  readonly failed: (error: Error) => void
}

/** 256 bits, so that nobody can guess a ticket. */
const BYTES = 32
const CODE = /^[\w-]{43}$/

/**
 * The unused tickets of an audience. Each is stored under the hash of its code, so that reading the store does not
 * reveal usable tickets.
 */
export class TicketBook {
  readonly #parts: TicketBookParts

  constructor(parts: TicketBookParts) {
    this.#parts = parts
  }

  /** Stores a ticket for `ttl` milliseconds and returns its code; `undefined` if its user has too many already. */
  async enter(ticket: Ticket, ttl: number): Promise<string | undefined> {
    const { store, places, most } = this.#parts
    const code = randomBytes(BYTES).toString('base64url')
    const value = write(ticket)
    return askStore(async () => {
      // If storing fails, the lease expires with the TTL.
      if (!(await places.lease(this.#placeOf(ticket, code), Math.ceil(ttl), most))) return undefined
      await store.set(this.#keyOf(code), value, ttl)
      return code
    }, [code, ticket.identity.session])
  }

  /** Returns the ticket with this code without removing it; `undefined` if there is none. */
  async look(code: string): Promise<Ticket | undefined> {
    if (!CODE.test(code)) return undefined
    return askStore(async () => read(await this.#parts.store.get(this.#keyOf(code))), [code])
  }

  /** Removes and returns the ticket with this code: of concurrent callers, on any instance, one gets it. */
  async take(code: string): Promise<Ticket | undefined> {
    const ticket = await askStore(async () => read(await this.#parts.store.take(this.#keyOf(code))), [code])
    if (ticket !== undefined) this.#giveBack(this.#placeOf(ticket, code))
    return ticket
  }

  // Not awaited: if releasing the lease fails, it expires by itself, within a minute.
  #giveBack(place: TicketPlace): void {
    askStore(() => this.#parts.places.release([place])).catch(this.#parts.failed)
  }

  #placeOf({ identity }: Ticket, code: string): TicketPlace {
    return { key: `tickets:${encodeURIComponent(this.#parts.audience)}:${identity.id}`, holder: hashOf(code) }
  }

  #keyOf(code: string): string {
    return `ticket:${this.#parts.audience}:${hashOf(code)}`
  }
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('base64url')
}

function write({ identity, origin, standing }: Ticket): string {
  const { id, scheme, session, token, expiresAt, claims } = identity
  // JSON has no Infinity, and an identity without an end needs none.
  const end = expiresAt === Infinity ? undefined : expiresAt
  return JSON.stringify({ identity: { id, scheme, session, token, expiresAt: end, claims }, origin, standing })
}

function read(value: string | undefined): Ticket | undefined {
  if (value === undefined) return undefined
  const { identity, origin, standing } = JSON.parse(value) as Ticket
  return { identity: createIdentity(identity), origin, standing }
}

/**
 * @param secrets values to redact from the error
 * @throws {AuthenticationError} `unavailable` if the store fails
 */
export async function askStore<T>(
  question: () => Promise<T>,
  secrets: readonly (string | undefined)[] = [],
): Promise<T> {
  try {
    return await question()
  } catch (error) {
    const cause = safeError(error, secrets)
    throw new AuthenticationError('unavailable', 'the ticket store is unavailable', { cause })
  }
}
