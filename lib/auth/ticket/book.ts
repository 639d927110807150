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

/** 256 bits, so that nobody can guess a ticket. */
const BYTES = 32
const CODE = /^[\w-]{43}$/

/**
 * The tickets of an audience that have not been used. Each is kept under the hash of its code only, so that whoever reads
 * the store can use none.
 */
export class TicketBook {
  readonly #store: TicketStore
  readonly #audience: string

  constructor(store: TicketStore, audience: string) {
    this.#store = store
    this.#audience = audience
  }

  /** Enters a ticket for so many milliseconds, and answers its code. */
  async enter(ticket: Ticket, ttl: number): Promise<string> {
    const code = randomBytes(BYTES).toString('base64url')
    const value = write(ticket)
    await askStore(() => this.#store.set(this.#keyOf(code), value, ttl), [code, ticket.identity.session])
    return code
  }

  /** The ticket with this code, which stays in the book; `undefined` where there is none. */
  async look(code: string): Promise<Ticket | undefined> {
    if (!CODE.test(code)) return undefined
    return askStore(async () => read(await this.#store.get(this.#keyOf(code))), [code])
  }

  /** Takes the ticket with this code out of the book: of any number of callers, on any instance, one gets it. */
  async take(code: string): Promise<Ticket | undefined> {
    return askStore(async () => read(await this.#store.take(this.#keyOf(code))), [code])
  }

  #keyOf(code: string): string {
    return `ticket:${this.#audience}:${createHash('sha256').update(code).digest('base64url')}`
  }
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
