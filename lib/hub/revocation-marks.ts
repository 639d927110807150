import { createHash } from 'node:crypto'
import type { Identity } from '../auth/identity.ts'
import type { Clock } from '../clock.ts'
import type { KeyValueStore } from '../broker/key-value-store.ts'
import type { StreamFilter } from './stream-index.ts'

// Longer than anything that is derived from a login without being looked up again lives, and than a slow request takes.
const KEPT_FOR = 300_000

/** What an identity's login stood at. One of these marks changes with each `disconnect` that may mean it. */
export type Standing = readonly string[]

/**
 * What `hub.disconnect()` ended lately, remembered for all instances: it closes the streams that there are, and must also
 * end what is about to become one.
 */
export class RevocationMarks {
  readonly #store: KeyValueStore
  readonly #clock: Clock

  constructor(store: KeyValueStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Remembers that streams of these were disconnected. */
  async mark({ session, token, identity }: StreamFilter): Promise<void> {
    // All that is given must fit, so that each one alone means no stream less.
    const key = keyOf('session', session) ?? keyOf('token', token) ?? keyOf('identity', identity)
    if (key !== undefined) await this.#store.set(key, this.#clock.id(), KEPT_FOR)
  }

  async standing({ session, token, id }: Identity): Promise<Standing> {
    const keys = [keyOf('session', session), keyOf('token', token), keyOf('identity', id)]
    return Promise.all(keys.map(async key => (key === undefined ? '' : ((await this.#store.get(key)) ?? ''))))
  }

  /** Whether nothing of an identity was disconnected since it stood so. A mark that has run out is old. */
  async stands(identity: Identity, before: Standing): Promise<boolean> {
    const now = await this.standing(identity)
    return now.every((mark, index) => mark === '' || mark === before[index])
  }
}

// The key of a session opens it to whoever reads it.
function keyOf(kind: string, name: string | undefined): string | undefined {
  return name === undefined ? undefined : `ended:${kind}:${createHash('sha256').update(name).digest('base64url')}`
}
