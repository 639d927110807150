import type { Lease, LeaseStore, Supersession } from '../broker/lease-store.ts'
import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'
import type { Task, TimerWheel } from './timer-wheel.ts'

/** Milliseconds until the places of an instance that died are free again. */
export const LEASE_TTL = 60_000

// Often enough that two rounds may fail.
const RENEWAL_INTERVAL = LEASE_TTL / 3

// Milliseconds until what could not be given back is tried again, unless the store is known to be back before.
const RETRY_INTERVAL = 5_000

// Milliseconds that the store may take to say whether there is a place.
const ANSWER_TIMEOUT = 1_000

/** What leases need of the hub. */
export interface LeasesHub {
  readonly broker: { readonly leases: LeaseStore }
  readonly clock: Clock
  readonly wheel: TimerWheel
  failed(during: string, error: unknown): void
}

/** A stream, as far as its place is concerned. */
export interface Tenant {
  readonly id: string
  readonly destroyed: boolean
}

/**
 * The places of this instance's streams in limits over all instances: taken before a stream opens, renewed while it
 * lives by one task for all, and given back once it has closed.
 *
 * The store may be down, and must not lock everybody out then: a stream that it cannot answer for is let in, which this
 * instance's own limits bound, and is counted with the next renewal.
 */
export class Leases implements Task {
  appointment: number | undefined

  readonly #hub: LeasesHub
  // By the ids of their streams.
  readonly #held = new Map<string, Lease>()
  // What is to be given back, by when it is free by itself.
  readonly #leaving = new Map<Lease, number>()
  #givingBack: Promise<void> | undefined
  #renewAt = 0
  #isRenewing = false

  constructor(hub: LeasesHub) {
    this.#hub = hub
  }

  /** How many streams of this instance have a place. */
  get size(): number {
    return this.#held.size
  }

  /** Takes one of `most` places of a key for a stream, unless all are taken. */
  async take(key: string, stream: Tenant, most: number): Promise<boolean> {
    const lease: Lease = { key, holder: stream.id }
    const isGranted = await this.#ask(() => this.#hub.broker.leases.lease(lease, LEASE_TTL, most), true)
    if (isGranted) this.#keep(lease, stream)
    return isGranted
  }

  /** Whether all of `most` places of a key are taken. Takes none. */
  async areTaken(key: string, most: number): Promise<boolean> {
    return (await this.#ask(() => this.#hub.broker.leases.taken(key), 0)) >= most
  }

  /** Takes a place of a key for a stream. Answers the ids of those streams, on any instance, that lose theirs for it. */
  async supersede(key: string, stream: Tenant, most: number): Promise<readonly string[]> {
    const own: Lease = { key, holder: stream.id }
    const uncounted: Supersession = { lease: own, superseded: [] }
    const { leases } = this.#hub.broker
    const { lease, superseded } = await this.#ask(() => leases.supersede(own, LEASE_TTL, most), uncounted)
    this.#keep(lease, stream)
    return superseded
  }

  /** Gives back what a stream has, if it has a place. */
  release({ id }: Tenant): void {
    const lease = this.#held.get(id)
    if (lease === undefined) return
    this.#held.delete(id)
    this.#giveBack(lease)
  }

  /** The store may be back: gives back what it could not take. */
  retry(): void {
    if (this.#leaving.size > 0) this.#givingBack ??= this.#giveAllBack()
  }

  /** Waits until what was released has been given back, or cannot be. */
  async settled(): Promise<void> {
    await this.#givingBack
  }

  run(now: number): number | undefined {
    this.retry()
    if (now >= this.#renewAt && this.#held.size > 0) {
      this.#renewAt = now + RENEWAL_INTERVAL
      void this.#renew()
    }
    return this.#next(now)
  }

  #next(now: number): number | undefined {
    if (this.#leaving.size > 0) return now + RETRY_INTERVAL
    return this.#held.size > 0 ? this.#renewAt : undefined
  }

  async #ask<T>(question: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await this.#inTime(question())
    } catch (error) {
      this.#hub.failed('lease', error)
      return otherwise
    }
  }

  #keep(lease: Lease, stream: Tenant): void {
    if (stream.destroyed) this.#giveBack(lease)
    else this.#hold(lease, stream)
  }

  #hold(lease: Lease, { id }: Tenant): void {
    const { wheel, clock } = this.#hub
    if (this.#held.size === 0) this.#renewAt = clock.monotonic() + RENEWAL_INTERVAL
    this.#held.set(id, lease)
    wheel.hasten(this, this.#renewAt)
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing) return
    this.#isRenewing = true
    const held = [...this.#held]
    const leases = held.map(([, lease]) => lease)
    try {
      await this.#hub.broker.leases.renew(leases, LEASE_TTL)
    } catch (error) {
      this.#hub.failed('lease', error)
    }
    this.#isRenewing = false
    // What was released meanwhile may have been renewed after that.
    for (const [id, lease] of held) if (!this.#held.has(id)) this.#giveBack(lease)
  }

  #giveBack(lease: Lease): void {
    this.#leaving.set(lease, this.#hub.clock.monotonic() + LEASE_TTL)
    this.#givingBack ??= this.#giveAllBack()
  }

  // Those that come while the store is busy go together, since thousands may close at once. What the store does not take
  // is tried again for as long as the place would stay taken.
  async #giveAllBack(): Promise<void> {
    const { wheel, clock } = this.#hub
    try {
      while (this.#leaving.size > 0) {
        const leaving = [...this.#leaving.keys()]
        await this.#inTime(this.#hub.broker.leases.release(leaving))
        for (const lease of leaving) this.#leaving.delete(lease)
      }
      if (this.#held.size === 0) wheel.cancel(this)
    } catch (error) {
      const now = clock.monotonic()
      for (const [lease, until] of this.#leaving) if (until <= now) this.#leaving.delete(lease)
      wheel.hasten(this, now + RETRY_INTERVAL)
      this.#hub.failed('lease', error)
    }
    this.#givingBack = undefined
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = () => new Error(`the store of leases did not answer within ${String(ANSWER_TIMEOUT)} ms`)
    return within(this.#hub.clock, ANSWER_TIMEOUT, answer, late)
  }
}
