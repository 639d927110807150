import { createHash, randomBytes } from 'node:crypto'
import { AuthenticationError } from '../authentication-error.ts'
import { safeError } from '../../safe-error.ts'
import { createIdentity, type Identity } from '../identity.ts'

/** Where tickets are kept: a store with expiry that all instances share. */
export interface TicketStore {
  set(key: string, value: string, ttl: number): Promise<void>
  get(key: string): Promise<string | undefined>
  take(key: string): Promise<string | undefined>
}

/** What a ticket stands for. */
export interface Ticket {
  /** Of whom asked for it. */
  readonly identity: Identity
  /** The origin of the page that asked; empty where it was none, or a client that is no browser. */
  readonly origin: string
  /** What the login stood at. */
  readonly standing: readonly string[]
}

/** Counts who has a place, on all instances: at most so many of a key. They end by themselves. */
export interface TicketPlaces {
  lease(place: TicketPlace, ttl: number, most: number): Promise<boolean>
  release(places: readonly TicketPlace[]): Promise<void>
}

/** One ticket's place among those of its user. */
export interface TicketPlace {
  readonly key: string
  readonly holder: string
}

/** What a book works with. */
export interface TicketBookParts {
  readonly store: TicketStore
  readonly places: TicketPlaces
  readonly audience: string
  /** How many tickets of one identity may be waiting. */
  readonly most: number
  /** Hears of what nobody waits for. */
  readonly failed: (error: Error) => void
}

/** 256 bits, so that nobody can guess a ticket. */
const BYTES = 32
const CODE = /^[\w-]{43}$/

/**
 * The tickets of an audience that have not been used. Each is kept under the hash of its code only, so that whoever reads
 * the store can use none.
 */
export class TicketBook {
  readonly #parts: TicketBookParts

  constructor(parts: TicketBookParts) {
    this.#parts = parts
  }

  /** Enters a ticket for so many milliseconds, and answers its code; `undefined` where its user has too many already. */
  async enter(ticket: Ticket, ttl: number): Promise<string | undefined> {
    const { store, places, most } = this.#parts
    const code = randomBytes(BYTES).toString('base64url')
    const value = write(ticket)
    return askStore(async () => {
      // A place that no ticket comes to stand on is free when that would have run out.
      if (!(await places.lease(this.#placeOf(ticket, code), Math.ceil(ttl), most))) return undefined
      await store.set(this.#keyOf(code), value, ttl)
      return code
    }, [code, ticket.identity.session])
  }

  /** The ticket with this code, which stays in the book; `undefined` where there is none. */
  async look(code: string): Promise<Ticket | undefined> {
    if (!CODE.test(code)) return undefined
    return askStore(async () => read(await this.#parts.store.get(this.#keyOf(code))), [code])
  }

  /** Takes the ticket with this code out of the book: of any number of callers, on any instance, one gets it. */
  async take(code: string): Promise<Ticket | undefined> {
    const ticket = await askStore(async () => read(await this.#parts.store.take(this.#keyOf(code))), [code])
    if (ticket !== undefined) this.#giveBack(this.#placeOf(ticket, code))
    return ticket
  }

  // Nobody waits for it: what fails ends by itself, within the minute that a ticket lives at most.
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
 * @param secrets what must not show in the error
 * @throws {AuthenticationError} `unavailable` where the question cannot be answered
 */
export async function askStore<T>(
  question: () => Promise<T>,
  secrets: readonly (string | undefined)[] = [],
): Promise<T> {
  try {
    return await question()
  } catch (error) {
    const cause = safeError(error, secrets)
    throw new AuthenticationError('unavailable', 'the store of tickets could not be asked', { cause })
  }
}
