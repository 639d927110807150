import { createHash } from 'node:crypto'
import type { Identity } from '../auth/identity.ts'
import type { Clock } from '../clock.ts'
import type { KeyValueStore } from '../broker/key-value-store.ts'
import type { StreamFilter } from './stream-index.ts'

// Milliseconds: longer than the life of anything derived from a login without revalidation, such as a ticket, and
// longer than a slow request.
const KEPT_FOR = 300_000

/**
 * The marks of an identity's session, token and id. Each `disconnect` that may match the identity changes one of them.
 */
export type Standing = readonly string[]

/**
 * Marks in the store, shared by all instances, of what `hub.disconnect()` has ended recently: it closes existing
 * streams, and must also invalidate what could still become one, such as a ticket.
 */
export class RevocationMarks {
  readonly #store: KeyValueStore
  readonly #clock: Clock

  constructor(store: KeyValueStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Records a `disconnect`. */
  async mark({ session, token, identity }: StreamFilter): Promise<void> {
    // All given fields must match, so marking one of them covers every matching stream.
    const key = keyOf('session', session) ?? keyOf('token', token) ?? keyOf('identity', identity)
    if (key !== undefined) await this.#store.set(key, this.#clock.id(), KEPT_FOR)
  }

  async standing({ session, token, id }: Identity): Promise<Standing> {
    const keys = [keyOf('session', session), keyOf('token', token), keyOf('identity', id)]
    return Promise.all(keys.map(async key => (key === undefined ? '' : ((await this.#store.get(key)) ?? ''))))
  }

  /** Whether the identity has not been disconnected since `before` was read. An expired mark is an old one. */
  async stands(identity: Identity, before: Standing): Promise<boolean> {
    const now = await this.standing(identity)
    return now.every((mark, index) => mark === '' || mark === before[index])
  }
}

// Hashed: a session key in the clear would give access to the session.
function keyOf(kind: string, name: string | undefined): string | undefined {
  return name === undefined ? undefined : `ended:${kind}:${createHash('sha256').update(name).digest('base64url')}`
}
