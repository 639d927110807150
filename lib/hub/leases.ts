import type { Lease, LeaseStore, Supersession } from '../broker/lease-store.ts'
import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'
import type { Task, TimerWheel } from './timer-wheel.ts'

/** Milliseconds until the leases of a crashed instance expire. */
export const LEASE_TTL = 60_000

// Two renewals in a row may fail.
const RENEWAL_INTERVAL = LEASE_TTL / 3

// Milliseconds until a failed release is retried, unless the store is known to be back earlier.
const RETRY_INTERVAL = 5_000

// The timeout of a call to the store, in milliseconds.
const ANSWER_TIMEOUT = 1_000

/** What this needs of the hub. */
export interface LeasesHub {
  readonly broker: { readonly leases: LeaseStore }
  readonly clock: Clock
  readonly wheel: TimerWheel
  failed(during: string, error: unknown): void
}

/** The part of a stream that leases need. */
export interface Tenant {
  readonly id: string
  readonly destroyed: boolean
}

/**
 * The leases of this instance's streams, for limits over all instances: taken before a stream opens, renewed by one
 * task for all while it lives, and released once it has closed.
 *
 * Fails open: while the store is unavailable streams are admitted within this instance's own limits, and are counted
 * with the next renewal.
 */
export class Leases implements Task {
  appointment: number | undefined

  readonly #hub: LeasesHub
  // By stream id.
  readonly #held = new Map<string, Lease>()
  // Leases to release, with the time when they expire anyway.
  readonly #leaving = new Map<Lease, number>()
  #releasing: Promise<void> | undefined
  #renewAt = 0
  #isRenewing = false

  constructor(hub: LeasesHub) {
    this.#hub = hub
  }

  /** The number of streams of this instance with a lease. */
  get size(): number {
    return this.#held.size
  }

  /** Takes one of `most` leases of a key for a stream. Returns whether one was free. */
  async take(key: string, stream: Tenant, most: number): Promise<boolean> {
    const lease: Lease = { key, holder: stream.id }
    const isGranted = await this.#ask(() => this.#hub.broker.leases.lease(lease, LEASE_TTL, most), true)
    if (isGranted) this.#keep(lease, stream)
    return isGranted
  }

  /** Whether all of `most` leases of a key are taken. Takes none. */
  async areTaken(key: string, most: number): Promise<boolean> {
    return (await this.#ask(() => this.#hub.broker.leases.taken(key), 0)) >= most
  }

  /**
   * Takes a lease of a key for a stream in any case. Returns the ids of the streams, on any instance, that lose theirs.
   */
  async supersede(key: string, stream: Tenant, most: number): Promise<readonly string[]> {
    const own: Lease = { key, holder: stream.id }
    const uncounted: Supersession = { lease: own, superseded: [] }
    const { leases } = this.#hub.broker
    const { lease, superseded } = await this.#ask(() => leases.supersede(own, LEASE_TTL, most), uncounted)
    this.#keep(lease, stream)
    return superseded
  }

  /** Releases the lease of a stream, if it has one. */
  release({ id }: Tenant): void {
    const lease = this.#held.get(id)
    if (lease === undefined) return
    this.#held.delete(id)
    this.#queueRelease(lease)
  }

  /** The store may be back: retries failed releases. */
  retry(): void {
    if (this.#leaving.size > 0) this.#releasing ??= this.#releaseAll()
  }

  /** Waits for releases in progress, until they are done or have failed. */
  async settled(): Promise<void> {
    await this.#releasing
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
    if (stream.destroyed) this.#queueRelease(lease)
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
    // A lease released during the renewal may have been taken again by it: release it once more.
    for (const [id, lease] of held) if (!this.#held.has(id)) this.#queueRelease(lease)
  }

  #queueRelease(lease: Lease): void {
    this.#leaving.set(lease, this.#hub.clock.monotonic() + LEASE_TTL)
    this.#releasing ??= this.#releaseAll()
  }

  // Leases that are added during a call to the store are batched into the next one: thousands of streams may close at
  // once. A failed release is retried until the lease expires by itself.
  async #releaseAll(): Promise<void> {
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
    this.#releasing = undefined
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = () => new Error(`the lease store did not answer within ${String(ANSWER_TIMEOUT)} ms`)
    return within(this.#hub.clock, ANSWER_TIMEOUT, answer, late)
  }
}
