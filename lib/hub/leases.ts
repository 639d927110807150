import type { Lease, LeaseStore } from '../broker/lease-store.ts'
import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'
import type { Task, TimerWheel } from './timer-wheel.ts'

/** Milliseconds until the places of an instance that died are free again. */
export const LEASE_TTL = 60_000

// Often enough that two rounds may fail.
const RENEWAL_INTERVAL = LEASE_TTL / 3

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
  // By their holders.
  readonly #held = new Map<string, Lease>()
  #leaving: Lease[] = []
  #givingBack: Promise<void> | undefined
  #isRenewing = false

  constructor(hub: LeasesHub) {
    this.#hub = hub
  }

  /** Takes one of `most` places of a key for a stream, unless all are taken. */
  async take(key: string, stream: Tenant, most: number): Promise<boolean> {
    const lease: Lease = { key, holder: stream.id }
    if (!(await this.#isGranted(lease, most))) return false
    if (stream.destroyed) this.#giveBack(lease)
    else this.#hold(lease)
    return true
  }

  /** Gives back what a stream has, if it has a place. */
  release({ id }: Tenant): void {
    const lease = this.#held.get(id)
    if (lease === undefined) return
    this.#held.delete(id)
    if (this.#held.size === 0) this.#hub.wheel.cancel(this)
    this.#giveBack(lease)
  }

  /** Waits until what was released has been given back, or cannot be. */
  async settled(): Promise<void> {
    await this.#givingBack
  }

  run(now: number): number {
    void this.#renew()
    return now + RENEWAL_INTERVAL
  }

  async #isGranted(lease: Lease, most: number): Promise<boolean> {
    try {
      return await this.#inTime(this.#hub.broker.leases.lease(lease, LEASE_TTL, most))
    } catch (error) {
      this.#hub.failed('lease', error)
      return true
    }
  }

  #hold(lease: Lease): void {
    this.#held.set(lease.holder, lease)
    if (this.appointment === undefined) {
      this.#hub.wheel.schedule(this, this.#hub.clock.monotonic() + RENEWAL_INTERVAL)
    }
  }

  async #renew(): Promise<void> {
    if (this.#isRenewing) return
    this.#isRenewing = true
    const leases = [...this.#held.values()]
    try {
      await this.#hub.broker.leases.renew(leases, LEASE_TTL)
    } catch (error) {
      this.#hub.failed('lease', error)
    }
    this.#isRenewing = false
    // What was released meanwhile may have been renewed after that.
    for (const lease of leases) if (!this.#held.has(lease.holder)) this.#giveBack(lease)
  }

  #giveBack(lease: Lease): void {
    this.#leaving.push(lease)
    this.#givingBack ??= this.#giveAllBack()
  }

  // Those that come while the store is busy go together, since thousands may close at once.
  async #giveAllBack(): Promise<void> {
    while (this.#leaving.length > 0) {
      const leaving = this.#leaving
      this.#leaving = []
      try {
        await this.#inTime(this.#hub.broker.leases.release(leaving))
      } catch (error) {
        this.#hub.failed('lease', error)
      }
    }
    this.#givingBack = undefined
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = () => new Error(`the store of leases did not answer within ${String(ANSWER_TIMEOUT)} ms`)
    return within(this.#hub.clock, ANSWER_TIMEOUT, answer, late)
  }
}
