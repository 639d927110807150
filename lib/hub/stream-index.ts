import type { Identity } from '../auth/identity.ts'
import { MultiMap } from './multi-map.ts'
import type { RefusalReason } from './lifecycle.ts'
import type { Subscriber } from './subscriber.ts'

/** The most streams at once. */
export interface StreamLimits {
  readonly identity: IdentityLimit
  readonly address: number
  readonly process: number
}

/**
 * The most streams of one identity, and whether a further one is refused or, once it opens, replaces the oldest. In the
 * latter case up to as many again may be opening.
 */
export interface IdentityLimit {
  readonly most: number
  readonly over: 'refuse' | 'oldest'
}

/** Selects streams. All given fields must match. */
export interface StreamFilter {
  /** The `id` of an identity. */
  readonly identity?: string
  /** The key of a session in its store. */
  readonly session?: string
  /** The `jti` of a token. */
  readonly token?: string
}

/** Selects streams, or the one with an id. */
export interface OneOrMore extends StreamFilter {
  readonly stream?: string
}

// Bytes. A closing stream with more than this unread is cut first. One that was closed right after it opened has less,
// and should still tell its client why.
const UNREAD = 65_536

/** Streams to end, by their state. */
export interface Surplus {
  readonly open: readonly Subscriber[]
  readonly opening: readonly Subscriber[]
  readonly closing: readonly Subscriber[]
}

/** All streams of this instance, by owner. A stream counts from when it starts opening until it is gone completely. */
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

  /** The limit that one more stream would exceed; `undefined` if none. */
  refusal(limits: StreamLimits, address: string, identity: Identity | undefined): RefusalReason | undefined {
    if (this.#all.size >= limits.process) return 'process-limit'
    if ((this.#byAddress.get(address) ?? 0) >= limits.address) return 'address-limit'
    const { most, over } = limits.identity
    if (identity === undefined) return undefined
    // A stream that is opening replaces none yet. The newest request is refused, and may be retried soon: opening many
    // at once must end neither the streams of other tabs nor earlier requests.
    const count = over === 'oldest' ? this.#opening(identity.id) : this.#byIdentity.count(identity.id)
    return count >= most ? 'identity-limit' : undefined
  }

  /** The number of streams of an identity that have not opened, including those closed before they did. */
  #opening(identity: string): number {
    let count = 0
    this.#byIdentity.each(identity, ({ order }) => {
      if (order === undefined) count += 1
    })
    return count
  }

  /**
   * The streams of an identity to end when another one opens, so that at most `most` stay:
   *
   * - of the open ones, the oldest
   * - of those whose resolver is still running, the ones that arrived before all that stay
   * - of the closing ones with much unread, the first, so that at most `most` of them are left
   *
   * A stream that may still fail to open replaces none.
   */
  surplus(newcomer: Subscriber, most: number): Surplus {
    const all = newcomer.identity === undefined ? [] : this.find({ identity: newcomer.identity.id })
    const living = all.filter(({ stream }) => stream.closeReason === undefined)
    const opened = living.filter(({ order }) => order !== undefined).sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
    const staying = living.includes(newcomer) ? [...opened, newcomer] : opened
    const oldest = staying.splice(0, Math.max(0, staying.length - most))
    const outdated = staying.length < most ? 0 : living.findIndex(subscriber => staying.includes(subscriber))
    const leaving = all.filter(({ stream }) => stream.closeReason !== undefined && stream.bufferedBytes > UNREAD)
    return {
      open: oldest,
      opening: living.slice(0, outdated).filter(({ isOpening }) => isOpening),
      closing: leaving.slice(0, Math.max(0, leaving.length + oldest.length - most)),
    }
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

  each(visit: (subscriber: Subscriber) => void): void {
    this.#all.forEach(visit)
  }

  all(): Subscriber[] {
    return [...this.#all]
  }

  find(filter: OneOrMore): Subscriber[] {
    const { identity, session, token } = filter
    const found: Subscriber[] = []
    const collect = (subscriber: Subscriber): void => {
      if (fits(filter, subscriber)) found.push(subscriber)
    }
    if (session !== undefined) this.#bySession.each(session, collect)
    else if (token !== undefined) this.#byToken.each(token, collect)
    else if (identity !== undefined) this.#byIdentity.each(identity, collect)
    else if (filter.stream !== undefined) this.#all.forEach(collect)
    return found
  }
}

/** Whether all given fields match. */
export function fits({ stream, identity, session, token }: OneOrMore, subscriber: Subscriber): boolean {
  const who = subscriber.identity
  return (
    (identity === undefined || who?.id === identity) &&
    (session === undefined || who?.session === session) &&
    (token === undefined || who?.token === token) &&
    (stream === undefined || subscriber.stream.isCalled(stream))
  )
}
