import type { Identity } from '../auth/identity.ts'
import { MultiMap } from './multi-map.ts'
import type { RefusalReason } from './lifecycle.ts'
import type { Subscriber } from './subscriber.ts'

/** How many streams there may be at once. */
export interface StreamLimits {
  readonly identity: number
  readonly address: number
  readonly process: number
}

/** Which streams to find. All that is given must fit. */
export interface StreamFilter {
  /** The `id` of an identity. */
  readonly identity?: string
  /** The key of a session in its store. */
  readonly session?: string
  /** The `jti` of a token. */
  readonly token?: string
}

/** All streams of this instance, and whose they are. It counts a stream from its opening until nothing is left of it. */
export class StreamIndex {
  readonly #all = new Set<Subscriber>()
  readonly #byIdentity = new MultiMap<string, Subscriber>()
  readonly #bySession = new MultiMap<string, Subscriber>()
  readonly #byToken = new MultiMap<string, Subscriber>()
  readonly #byAddress = new Map<string, number>()

  get size(): number {
    return this.#all.size
  }

  get identities(): number {
    return this.#byIdentity.size
  }

  get addresses(): number {
    return this.#byAddress.size
  }

  /** The limit that one more stream would break, if it would break one. */
  refusal(limits: StreamLimits, address: string, identity: Identity | undefined): RefusalReason | undefined {
    if (this.#all.size >= limits.process) return 'process-limit'
    if ((this.#byAddress.get(address) ?? 0) >= limits.address) return 'address-limit'
    if (identity !== undefined && this.#byIdentity.count(identity.id) >= limits.identity) return 'identity-limit'
    return undefined
  }

  add(subscriber: Subscriber): void {
    const { identity, address } = subscriber
    this.#all.add(subscriber)
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1)
    if (identity === undefined) return
    this.#byIdentity.add(identity.id, subscriber)
    if (identity.session !== undefined) this.#bySession.add(identity.session, subscriber)
    if (identity.token !== undefined) this.#byToken.add(identity.token, subscriber)
  }

  delete(subscriber: Subscriber): void {
    if (!this.#all.delete(subscriber)) return
    const { identity, address } = subscriber
    const left = (this.#byAddress.get(address) ?? 1) - 1
    if (left === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, left)
    if (identity === undefined) return
    this.#byIdentity.delete(identity.id, subscriber)
    if (identity.session !== undefined) this.#bySession.delete(identity.session, subscriber)
    if (identity.token !== undefined) this.#byToken.delete(identity.token, subscriber)
  }

  all(): Subscriber[] {
    return [...this.#all]
  }

  find({ identity, session, token }: StreamFilter): Subscriber[] {
    const found: Subscriber[] = []
    const collect = (subscriber: Subscriber): void => {
      const who = subscriber.identity
      if (identity !== undefined && who?.id !== identity) return
      if (session !== undefined && who?.session !== session) return
      if (token !== undefined && who?.token !== token) return
      found.push(subscriber)
    }
    if (session !== undefined) this.#bySession.each(session, collect)
    else if (token !== undefined) this.#byToken.each(token, collect)
    else if (identity !== undefined) this.#byIdentity.each(identity, collect)
    return found
  }
}
